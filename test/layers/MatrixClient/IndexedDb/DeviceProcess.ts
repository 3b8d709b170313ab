import {
  DecryptionSettings,
  DeviceId,
  EncryptionSettings,
  OlmMachine,
  RequestType,
  RoomId,
  StoreHandle,
  TrustRequirement,
  UserId
} from "@matrix-org/matrix-sdk-crypto-wasm"
import { Effect } from "effect"
import * as IndexedDb from "../../../../src/layers/MatrixClient/IndexedDb.ts"

const room = new RoomId("!room:example.org")
const sender = "@bot:example.org"

const open = async () => {
  const store = await StoreHandle.openWithKey("homing", new Uint8Array(32).fill(7))
  const machine = await OlmMachine.initFromStore(new UserId(sender), new DeviceId("HOMING"), store)
  store.free()
  return machine
}

/** Uploads what the device has to upload, to a server that takes everything; answers how often. */
const upload = async (machine: OlmMachine): Promise<number> => {
  const requests = (await machine.outgoingRequests()).filter((request) => request.type === RequestType.KeysUpload)
  for (const { id, type } of requests) {
    if (id === undefined) continue
    await machine.markRequestAsSent(id, type, JSON.stringify({ one_time_key_counts: { signed_curve25519: 50 } }))
  }
  return requests.length
}

const encrypt = async (machine: OlmMachine): Promise<string> => {
  await machine.shareRoomKey(room, [], new EncryptionSettings())
  return machine.encryptRoomEvent(room, "m.room.message", JSON.stringify({ msgtype: "m.text", body: "kept" }))
}

const decrypt = async (machine: OlmMachine, content: string): Promise<unknown> => {
  const event = {
    type: "m.room.encrypted",
    event_id: "$event",
    sender,
    origin_server_ts: 1,
    content: JSON.parse(content)
  }
  const settings = new DecryptionSettings(TrustRequirement.Untrusted)
  return JSON.parse((await machine.decryptRoomEvent(JSON.stringify(event), room, settings)).event).content.body
}

/**
 * Another process: a device of the SDK that keeps its keys in the file of the first argument. Tells its identity keys and how
 * often it had to upload keys; encrypts a message, or decrypts the one of its second argument.
 */
const device = Effect.gen(function*() {
  const [path = "", content] = process.argv.slice(2)
  yield* IndexedDb.install(yield* IndexedDb.open(path))
  yield* Effect.promise(async () => {
    const machine = await open()
    const keys = [machine.identityKeys.curve25519.toBase64(), machine.identityKeys.ed25519.toBase64()]
    const uploads = await upload(machine)
    const message = content === undefined ? await encrypt(machine) : await decrypt(machine, content)
    machine.close()
    process.send?.({ keys, uploads, message })
  })
})

await Effect.runPromise(Effect.scoped(device))
process.disconnect()
