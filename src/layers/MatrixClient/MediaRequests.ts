import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { AttachmentTooLarge, type MatrixFailure } from "../../domain/Errors.ts"
import { MxcUri } from "../../domain/Ids.ts"
import { passing } from "../Checkpoint.ts"
import type { NoAnswer } from "./NoAnswer.ts"
import { failure, path, refusalOf } from "./Requests.ts"
import { SignedIn } from "./SignedIn.ts"
import { type CarriedAnswer, Transport } from "./Transport.ts"

/** Of one attempt. */
const downloading = Duration.minutes(1)
/** 20 MB on a line of 2 Mbit/s. */
const uploading = Duration.minutes(2)

/** Bytes of an answer that is no file. */
const wordsLimit = 65_536

const Uploaded = Schema.Struct({ content_uri: MxcUri })

const parse = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}

const unreachable = (name: string) => ({ detail }: NoAnswer): MatrixFailure =>
  failure(name, { _tag: "Unreachable", detail }, detail)

const refused = (name: string, { bytes, ...answer }: CarriedAnswer): MatrixFailure | undefined =>
  answer.status >= 200 && answer.status < 300
    ? undefined
    : refusalOf(name, { ...answer, body: parse(bytes.subarray(0, wordsLimit)) })

const isUnrecognized = (error: AttachmentTooLarge | MatrixFailure): boolean =>
  error._tag === "MatrixFailure" && error.reason._tag === "Rejected" && error.reason.errcode === "M_UNRECOGNIZED"

/** An id whose parts are known to be no path: see `MxcUri`. */
const partsOf = (uri: MxcUri): readonly [server: string, id: string] => {
  const [server = "", id = ""] = uri.slice("mxc://".length).split("/")
  return [server, id]
}

/** Files of the homeserver's content repository (Client-Server API, "Content repository"). */
export const makeMediaRequests = Effect.gen(function*() {
  const signedIn = yield* SignedIn
  const transport = yield* Transport

  const get = Effect.fnUntraced(function*(
    at: string,
    limit: number,
    { withToken }: { readonly withToken: boolean }
  ): Effect.fn.Return<Uint8Array, AttachmentTooLarge | MatrixFailure> {
    const { accessToken, session } = yield* signedIn.credentials
    const answer = yield* transport.carry({
      homeserverUrl: session.homeserverUrl,
      method: "GET",
      path: at,
      accessToken: withToken ? accessToken : undefined,
      deadline: downloading,
      // What a refusal says must have room, too.
      limit: Math.max(limit, wordsLimit)
    }).pipe(
      Effect.mapError((error) =>
        error.tooLarge === true ? new AttachmentTooLarge({ limit }) : unreachable("download")(error)
      )
    )
    const refusal = refused("download", answer)
    if (refusal !== undefined) return yield* refusal
    if (answer.bytes.byteLength > limit) return yield* new AttachmentTooLarge({ limit })
    return answer.bytes
  })

  return {
    /** The file as it was uploaded. */
    download: Effect.fn("MediaRequests.download")(function*(uri: MxcUri, limit: number) {
      const [server, id] = partsOf(uri)
      return yield* get(path`/_matrix/client/v1/media/download/${server}/${id}`, limit, { withToken: true }).pipe(
        // Before version 1.11 of the specification files were there for everybody.
        Effect.catchIf(
          isUnrecognized,
          () => get(path`/_matrix/media/v3/download/${server}/${id}`, limit, { withToken: false })
        )
      )
    }),

    upload: Effect.fn("MediaRequests.upload")(function*(file: {
      readonly bytes: Uint8Array
      readonly mimetype: string
      readonly name: string | undefined
    }) {
      const { accessToken, session } = yield* signedIn.credentials
      const answer = yield* transport.carry({
        homeserverUrl: session.homeserverUrl,
        method: "POST",
        path: "/_matrix/media/v3/upload",
        query: file.name === undefined ? {} : { filename: file.name },
        content: { type: file.mimetype, bytes: file.bytes },
        accessToken,
        deadline: uploading,
        limit: wordsLimit
      }).pipe(Effect.mapError(unreachable("upload")), passing("upload"))
      const refusal = refused("upload", answer)
      if (refusal !== undefined) return yield* refusal
      const uploaded = yield* Schema.decodeUnknownEffect(Uploaded)(parse(answer.bytes)).pipe(
        Effect.mapError(() => failure("upload", { _tag: "NotMatrix", detail: "no mxc" }, "The answer names no file."))
      )
      return uploaded.content_uri
    })
  }
})
