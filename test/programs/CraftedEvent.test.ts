import { assert, layer } from "@effect/vitest"
import { Context, Effect } from "effect"
import { Method } from "matrix-js-sdk/lib/matrix.js"
import * as Crypto from "node:crypto"
import { Store } from "../../src/layers/Store.ts"
import { logged, until } from "./KeyedBot.ts"
import { type SdkPerson, sdkPerson } from "./SdkPerson.ts"
import { cryptoOf } from "./SdkVerifying.ts"
import { keyedBot, wiredWorld } from "./Wire.ts"

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64").replace(/=+$/, "")
const varint = (n: number): ReadonlyArray<number> => n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]

/** A Megolm session by hand (gitlab.matrix.org, olm, docs/megolm.md): what no honest client writes can be encrypted with it. */
const megolm = () => {
  const ratchet = Crypto.randomBytes(128)
  const { privateKey, publicKey } = Crypto.generateKeyPairSync("ed25519")
  const signing = publicKey.export({ type: "spki", format: "der" }).subarray(-32)
  const shared = Buffer.concat([Buffer.from([2, 0, 0, 0, 0]), ratchet, signing])
  const keys = Buffer.from(Crypto.hkdfSync("sha256", ratchet, Buffer.alloc(0), "MEGOLM_KEYS", 80))
  const encrypt = (plain: unknown) => {
    const cipher = Crypto.createCipheriv("aes-256-cbc", keys.subarray(0, 32), keys.subarray(64, 80))
    const text = Buffer.concat([cipher.update(JSON.stringify(plain), "utf8"), cipher.final()])
    const body = Buffer.concat([Buffer.from([3, 8, 0, 0x12, ...varint(text.length)]), text])
    const mac = Crypto.createHmac("sha256", keys.subarray(32, 64)).update(body).digest().subarray(0, 8)
    const signed = Buffer.concat([body, mac])
    return base64(Buffer.concat([signed, Crypto.sign(null, signed, privateKey)]))
  }
  return { id: base64(signing), key: base64(Buffer.concat([shared, Crypto.sign(null, shared, privateKey)])), encrypt }
}

const algorithm = "m.megolm.v1.aes-sha2"

/** Sends this, encrypted for that device, as an event of the room; its id. */
const sayCrafted = (
  person: SdkPerson,
  to: { readonly userId: string; readonly deviceId: string },
  room: string,
  clear: Readonly<Record<string, unknown>>
) =>
  Effect.promise(async () => {
    const session = megolm()
    const key = { algorithm, room_id: room, session_id: session.id, session_key: session.key }
    const crypto = cryptoOf(person.client)
    const { batch, eventType } = await crypto.encryptToDeviceMessages("m.room_key", [to], key)
    await person.client.sendToDevice(
      eventType,
      new Map([[to.userId, new Map(batch.map(({ deviceId, payload }) => [deviceId, payload]))]])
    )
    const { curve25519 } = await crypto.getOwnDeviceKeys()
    const path = `/rooms/${encodeURIComponent(room)}/send/m.room.encrypted/crafted`
    const { event_id } = await person.client.http.authedRequest<{ event_id: string }>(Method.Put, path, {}, {
      algorithm,
      session_id: session.id,
      sender_key: curve25519,
      device_id: person.deviceId,
      ciphertext: session.encrypt({ room_id: room, ...clear })
    })
    return event_id
  })

layer(wiredWorld(["bot", "ann"]), { excludeTestServices: true })("a crafted event", (it) => {
  it.effect(
    "that is once more encrypted when it is opened is ignored, and the bot goes on",
    () =>
      Effect.gen(function*() {
        const bot = yield* keyedBot("bot")
        const to = { userId: bot.userId, deviceId: String((yield* logged(bot, "device_verified"))["device"]) }
        const ann = yield* sdkPerson("ann", "password")
        const room = yield* ann.createRoom("Tea", bot.userId)
        yield* ann.greetingIn(room)
        const content = { algorithm, session_id: "a", sender_key: "b", device_id: "c", ciphertext: "d" }
        const crafted = yield* sayCrafted(ann, to, room, { type: "m.room.encrypted", content })
        const { inbox } = Context.get(bot.database, Store)
        const settled = Effect.map(inbox.find(crafted), (record) => record !== undefined && record.state !== "pending")
        yield* until(Effect.orDie(settled))
        assert.deepInclude(yield* inbox.find(crafted), { state: "ignored", reason: "encrypted" })
        yield* ann.answerTo(room, yield* ann.say(room, "still there?"))
      }).pipe(Effect.scoped),
    30_000
  )
})
