import { assert } from "@effect/vitest"
import { Attachment, EncryptedAttachment, initAsync } from "@matrix-org/matrix-sdk-crypto-wasm"
import { Effect, Schema } from "effect"
import { type MatrixEvent, MsgType } from "matrix-js-sdk/lib/matrix.js"
import { MxcUri } from "../../src/domain/Ids.ts"
import type { SdkPerson } from "./SdkPerson.ts"

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** What matrix-rust-sdk says of a file that it has encrypted. */
const decodeInfo = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Struct({
  v: Schema.String,
  key: Schema.Struct({
    kty: Schema.String,
    alg: Schema.String,
    k: Schema.String,
    key_ops: Schema.Array(Schema.String),
    ext: Schema.Boolean
  }),
  iv: Schema.String,
  hashes: Schema.Struct({ sha256: Schema.String })
})))

/** Sends a picture as clients do in an encrypted room, by the encryption of matrix-rust-sdk; the id of its event. */
export const sendSealedPicture = Effect.fn("sendSealedPicture")(function*(
  { client }: SdkPerson,
  room: string,
  picture: { readonly name: string; readonly bytes: Uint8Array }
) {
  yield* Effect.promise(() => initAsync())
  const sealed = Attachment.encrypt(picture.bytes)
  const { content_uri } = yield* Effect.promise(() =>
    client.uploadContent(new Blob([new Uint8Array(sealed.encryptedData)]), { includeFilename: false })
  )
  const { key, ...info } = yield* Effect.orDie(decodeInfo(sealed.mediaEncryptionInfo))
  const { event_id } = yield* Effect.promise(() =>
    client.sendMessage(room, {
      msgtype: MsgType.Image,
      body: picture.name,
      filename: picture.name,
      info: { mimetype: "image/png", size: picture.bytes.byteLength },
      file: { ...info, url: content_uri, key: { ...key, key_ops: [...key.key_ops] } }
    })
  )
  return event_id
})

/** Sends a picture as clients do in a plain room; the id of its event. */
export const sendPlainPicture = Effect.fn("sendPlainPicture")(function*(
  { client }: SdkPerson,
  room: string,
  picture: { readonly name: string; readonly bytes: Uint8Array }
) {
  const { content_uri } = yield* Effect.promise(() => client.uploadContent(new Blob([new Uint8Array(picture.bytes)])))
  const { event_id } = yield* Effect.promise(() =>
    client.sendMessage(room, { msgtype: MsgType.Image, body: picture.name, url: content_uri })
  )
  return event_id
})

/** What the homeserver has of a file: the bytes as they were uploaded. */
export const storedBytes = Effect.fn("storedBytes")(function*({ client, token }: SdkPerson, url: unknown) {
  const [server = "", id = ""] = MxcUri.make(String(url)).slice("mxc://".length).split("/")
  const answer = yield* Effect.promise(() =>
    fetch(`${client.baseUrl}/_matrix/client/v1/media/download/${server}/${id}`, {
      headers: { authorization: `Bearer ${token}` }
    })
  )
  assert.strictEqual(answer.status, 200)
  return new Uint8Array(yield* Effect.promise(() => answer.arrayBuffer()))
})

/** The file of an event, in clear, opened by matrix-rust-sdk. */
export const openSealedFile = Effect.fn("openSealedFile")(function*(person: SdkPerson, event: MatrixEvent) {
  const { file, url } = event.getContent()
  assert.isUndefined(url, "nothing is there in clear")
  assert(isRecord(file))
  const stored = yield* storedBytes(person, file["url"])
  return { stored, bytes: Attachment.decrypt(new EncryptedAttachment(stored, JSON.stringify(file))) }
})
