import { initAsync } from "@matrix-org/matrix-sdk-crypto-wasm"

// A failure is met again, and told, by whoever asks for the crypto.
initAsync().catch(() => {})
