import type { CryptoBackend } from "matrix-js-sdk/lib/common-crypto/CryptoBackend.js"
import type { CryptoApi } from "matrix-js-sdk/lib/crypto-api/index.js"

/** The SDK encrypts and decrypts by itself only what it sends and keeps by itself; the outbox and the inbox have what they store. */
export const isBackend = (crypto: CryptoApi): crypto is CryptoBackend => "encryptEvent" in crypto
