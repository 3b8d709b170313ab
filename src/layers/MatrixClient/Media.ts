import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { AttachmentBroken, AttachmentTooLarge } from "../../domain/Errors.ts"
import { MatrixMedia } from "../MatrixClient.ts"
import { openFile } from "./FileCrypto.ts"
import { makeMediaRequests } from "./MediaRequests.ts"
import { failure } from "./Requests.ts"

/** A server that stumbles is asked again, twice. */
const again = Schedule.max([Schedule.exponential("500 millis"), Schedule.recurs(2)])

/** All attempts together. The homeserver may have to get the file from another one first. */
const deadline = Duration.minutes(1)

const detail = `The file did not come within ${Duration.format(deadline)}.`
const tookTooLong = failure("download", { _tag: "Unreachable", detail }, detail)

/** Reads files over the `Transport`. */
export const layer = Layer.effect(
  MatrixMedia,
  Effect.gen(function*() {
    const media = yield* makeMediaRequests
    return MatrixMedia.of({
      download: Effect.fn("MatrixMedia.download")(function*({ secrets, size, url }, { limit }) {
        if (size !== undefined && size > limit) return yield* new AttachmentTooLarge({ limit })
        const bytes = yield* media.download(url, limit).pipe(
          Effect.retry({
            schedule: again,
            while: (error) => error._tag === "MatrixFailure" && error.reason._tag === "Unreachable"
          }),
          Effect.timeoutOrElse({ duration: deadline, orElse: () => Effect.fail(tookTooLong) })
        )
        if (secrets === undefined) return bytes
        const clear = openFile(bytes, Redacted.value(secrets))
        return clear ?? (yield* new AttachmentBroken({ detail: "its SHA-256 is another than the message says." }))
      })
    })
  })
)
