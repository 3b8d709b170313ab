import type { CryptoBackend } from "matrix-js-sdk/lib/common-crypto/CryptoBackend.js"
import type { CryptoApi } from "matrix-js-sdk/lib/crypto-api/index.js"

/**
 * What the SDK calls `CryptoApi` in public is its whole crypto, which also encrypts, decrypts and takes in answers of `/sync`: the SDK itself does
 * that only for what it sends and keeps, and here the outbox and the inbox do. Every implementation has all of it, or none.
 */
export const isBackend = (crypto: CryptoApi): crypto is CryptoBackend => "encryptEvent" in crypto
