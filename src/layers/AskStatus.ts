import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** What `/readyz` says, as far as another process needs it. */
const Status = Schema.Struct({
  ready: Schema.Boolean,
  reason: Schema.optionalKey(Schema.String),
  decrypted: Schema.optionalKey(Schema.Struct({ read: Schema.Number, unread: Schema.Number }))
})
export type Status = typeof Status.Type

const decode = Schema.decodeUnknownOption(Status)

/** Asks the bot that runs on this machine how it is. Undefined when nothing like it answers within 2 seconds. */
export const askStatus = Effect.fn("askStatus")((port: number): Effect.Effect<Status | undefined> =>
  Effect.tryPromise(async (signal) => {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal, redirect: "error" })
    return decode(await answer.json())
  }).pipe(
    Effect.timeout("2 seconds"),
    Effect.map(Option.getOrUndefined),
    Effect.catch(() => Effect.succeed(undefined))
  )
)
