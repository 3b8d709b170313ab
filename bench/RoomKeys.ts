import { Effect } from "effect"
import { MatrixClient, MemoryStore } from "matrix-js-sdk/lib/matrix.js"
import { generateKeyPairSync, randomBytes } from "node:crypto"
import { join } from "node:path"
import { isBackend } from "../src/layers/MatrixClient/CryptoBackend.ts"
import { keyFromFile } from "../src/layers/MatrixClient/CryptoKey.ts"
import * as IndexedDb from "../src/layers/MatrixClient/IndexedDb.ts"
import type { Account } from "./Process.ts"

const unpadded = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64").replace(/=+$/, "")

/** An exported Megolm session that nobody has: its version, an index of 0, a ratchet, and a signing key that is real. */
const roomKey = (number: number) => {
  const { publicKey } = generateKeyPairSync("ed25519")
  const signing = publicKey.export({ format: "der", type: "spki" }).subarray(-32)
  return {
    algorithm: "m.megolm.v1.aes-sha2",
    room_id: `!room${number % 500}:bench.test`,
    sender_key: unpadded(randomBytes(32)),
    sender_claimed_keys: { ed25519: unpadded(signing) },
    forwarding_curve25519_key_chain: [],
    session_id: unpadded(signing),
    session_key: unpadded(Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), randomBytes(128), signing]))
  }
}

/** Puts this many room keys into the `crypto.db` of a bot that does not run, as if a backup had brought them. */
export const storeRoomKeys = Effect.fn("storeRoomKeys")(function*(account: Account, dataDir: string, count: number) {
  yield* IndexedDb.install(yield* IndexedDb.open(join(dataDir, "crypto.db")))
  const storageKey = yield* keyFromFile(join(dataDir, "crypto.key"))
  const client = new MatrixClient({
    accessToken: account.token,
    baseUrl: account.url,
    deviceId: account.deviceId,
    store: new MemoryStore(),
    userId: account.userId
  })
  yield* Effect.promise(() => client.initRustCrypto({ storageKey }))
  const crypto = client.getCrypto()
  if (crypto === undefined || !isBackend(crypto)) return yield* Effect.die(new Error("There is no crypto."))
  const version = (yield* Effect.promise(() => crypto.getKeyBackupInfo()))?.version ?? "1"
  const keys = Array.from({ length: count }, (_, number) => roomKey(number))
  let refused = 0
  yield* Effect.promise(() =>
    crypto.importBackedUpRoomKeys(keys, version, {
      progressCallback: (progress) => {
        if (progress.stage === "load_keys") refused = progress.failures ?? 0
      }
    })
  )
  if (refused > 0) return yield* Effect.die(new Error(`${refused} of ${count} room keys were refused.`))
  client.stopClient()
}, Effect.scoped)
