import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { UserId } from "../domain/Ids.ts"

/** So many at once, and one more in each of these times, in milliseconds. */
interface Rate {
  readonly burst: number
  readonly every: number
}

const ofOne: Rate = { burst: 3, every: 10 * 60_000 }
const ofAll: Rate = { burst: 20, every: 30_000 }

/** What is left open is logged with its number once in this time, in milliseconds. */
const quietTime = 10 * 60_000

/** When the tokens that were taken are back: a bucket is this one number. */
type FullAt = number

/** The bucket after one more token; undefined when it has none. */
const taken = (fullAt: FullAt | undefined, { burst, every }: Rate, now: number): FullAt | undefined => {
  const next = Math.max(fullAt ?? now, now) + every
  return next - now > burst * every ? undefined : next
}

/** Keeps strangers from making the bot decline invites without end. */
export class InviteLimit extends Context.Service<InviteLimit, {
  /** Whether an invite of `sender` may be declined now: of one sender a few, of all some more. Counts as declined when it answers true. */
  admit(sender: UserId): Effect.Effect<boolean>
}>()("homing/InviteLimit") {
  static readonly layer = Layer.sync(InviteLimit, () => {
    let all: FullAt | undefined
    let leftOpen = 0
    let toldAt: number | undefined
    /** Only senders that were admitted stand here, and not for long: `ofAll` bounds how many. */
    const senders = new Map<UserId, FullAt>()

    const admits = (sender: UserId, now: number): boolean => {
      for (const [known, fullAt] of senders) if (fullAt <= now) senders.delete(known)
      const nextOfOne = taken(senders.get(sender), ofOne, now)
      const nextOfAll = taken(all, ofAll, now)
      if (nextOfOne === undefined || nextOfAll === undefined) return false
      senders.set(sender, nextOfOne)
      all = nextOfAll
      return true
    }

    return InviteLimit.of({
      admit: Effect.fnUntraced(function*(sender) {
        const now = yield* Clock.currentTimeMillis
        if (admits(sender, now)) return true
        leftOpen++
        if (toldAt === undefined || now - toldAt >= quietTime) {
          toldAt = now
          yield* Effect.logWarning("invites_left_open").pipe(Effect.annotateLogs({ user: sender, invites: leftOpen }))
          leftOpen = 0
        }
        return false
      })
    })
  })
}
