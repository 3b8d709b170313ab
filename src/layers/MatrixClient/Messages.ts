import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { EventId, type TransactionId } from "../../domain/Ids.ts"
import { reactionType } from "../../domain/Prompt.ts"
import { MatrixMessages } from "../MatrixClient.ts"
import { makeMediaRequests } from "./MediaRequests.ts"
import { Parcel, referenceIn } from "./Parcel.ts"
import { MatrixRequests, Nothing, path } from "./Requests.ts"
import { Envelope, Sealing } from "./Sealing.ts"
import { SignedIn } from "./SignedIn.ts"

const Sent = Schema.Struct({ event_id: EventId })

/** Milliseconds after which the server hides the typing notice. */
const typingTimeout = 30_000

const make = Effect.gen(function*() {
  const { request } = yield* MatrixRequests
  const signedIn = yield* SignedIn
  const sealing = yield* Sealing
  const media = yield* makeMediaRequests

  const post = Effect.fnUntraced(function*({ content, roomId, type }: Envelope, transactionId: TransactionId) {
    const sent = yield* request({
      name: "send message",
      method: "PUT",
      path: path`/rooms/${roomId}/send/${type}/${transactionId}`,
      body: content,
      schema: Sent
    })
    return sent.event_id
  })

  return MatrixMessages.of({
    // Encrypted anew at every attempt: by its transaction id the server knows what it has, whatever is in it.
    send: Effect.fn("MatrixMessages.send")(function*(message) {
      const envelope = message.type === reactionType
        ? Envelope.reaction(message.roomId, message)
        : yield* Envelope.seal(yield* sealing.of(message.roomId), message)
      return yield* post(envelope, message.transactionId)
    }),

    sendFile: Effect.fn("MatrixMessages.sendFile")(function*(message, { file, keep, upload: known }) {
      const { filename } = message.content
      let upload = known
      while (true) {
        // Looked at again after each upload, which may have taken minutes. A room becomes encrypted once, so that this ends.
        const room = yield* sealing.of(message.roomId)
        const reference = yield* referenceIn(room, upload)
        if (reference !== undefined) {
          const content = { ...message.content, ...reference }
          return yield* post(yield* Envelope.seal(room, { type: message.type, content }), message.transactionId)
        }
        const parcel = Parcel.pack(room, yield* file, typeof filename === "string" ? filename : undefined)
        upload = parcel.uploadedTo(yield* media.upload(parcel))
        yield* keep(upload)
      }
    }),

    redact: Effect.fn("MatrixMessages.redact")(function*({ event, room, transaction }) {
      const sent = yield* request({
        name: "redact",
        method: "PUT",
        path: path`/rooms/${room}/redact/${event}/${transaction}`,
        body: {},
        schema: Sent
      })
      return sent.event_id
    }),

    typing: Effect.fn("MatrixMessages.typing")(function*(room, typing) {
      const { session } = yield* signedIn.credentials
      yield* request({
        name: "typing notice",
        method: "PUT",
        path: path`/rooms/${room}/typing/${session.userId}`,
        body: typing ? { typing, timeout: typingTimeout } : { typing },
        schema: Nothing
      })
    }),

    markRead: (room, event) =>
      request({
        name: "read receipt",
        method: "POST",
        path: path`/rooms/${room}/receipt/m.read/${event}`,
        body: {},
        schema: Nothing
      }).pipe(Effect.asVoid)
  })
})

/** Speaks over `MatrixRequests`. */
export const layer = Layer.effect(MatrixMessages, make)
