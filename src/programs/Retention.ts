import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { Store } from "../layers/Store.ts"

/** Settled messages are remembered for so many days … */
export const keptDays = 30

/** … and no more than this many: some 100 MB. What they are for: `why`, `log`, and knowing a reply to the bot for one. */
export const keptMessages = 100_000

/** Forgets what is older or more than that, and gives the room on disk back. */
export const forgetOld = Effect.fn("forgetOld")(function*() {
  const before = (yield* Clock.currentTimeMillis) - keptDays * 24 * 3_600_000
  const forgotten = yield* (yield* Store).prune({ before, keep: keptMessages })
  if (forgotten.inbox > 0) {
    yield* Effect.logDebug("old_messages_forgotten").pipe(
      Effect.annotateLogs({ messages: forgotten.inbox, replies: forgotten.outbox })
    )
  }
})

/**
 * Keeps the database small for as long as the bot runs. Often, because a busy bot settles a hundred thousand messages in minutes; when
 * there is nothing to forget it is a look at an index.
 */
export const keepStoreSmall = Effect.repeat(forgetOld(), Schedule.spaced("1 minute"))
