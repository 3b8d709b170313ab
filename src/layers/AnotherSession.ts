import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { EventId, RoomId } from "../domain/Ids.ts"

/**
 * Says that another session of the bot's account answers people too: a second Homing with a data directory of its own, which no lease and no
 * transaction id keeps from answering everything once more, or a person who signed in as the bot.
 */
export class AnotherSession extends Context.Service<AnotherSession, {
  /** That session sent `event` as an answer. Warns the first time in the life of a process. */
  answers(room: RoomId, event: EventId): Effect.Effect<void>
}>()("homing/AnotherSession") {
  static readonly layer = Layer.sync(AnotherSession, () => {
    let told = false
    return AnotherSession.of({
      answers: (room, event) =>
        Effect.suspend(() => {
          if (told) return Effect.void
          told = true
          return Effect.logWarning("another_session_answers").pipe(Effect.annotateLogs({ room, event, advice }))
        })
    })
  })
}

const advice =
  "Somebody else is signed in as this bot and answers, so that people may get two answers. If it is a second Homing, stop " +
  "one of them, or give it an account of its own; the account's list of sessions has its name."
