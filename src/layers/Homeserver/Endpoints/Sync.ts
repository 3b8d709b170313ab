/** `/sync`, its filters, and the account data that it brings. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { endTyping, nextTypingEnd } from "../Ephemeral.ts"
import { type Json, positionOfSyncToken, type User, wake } from "../Model.ts"
import { badParam, notFound, type Refusal } from "../Refusal.ts"
import { at, type Call, route, routeBody, routeEffect, type Visit } from "../Router.ts"
import { Filter, sync, type SyncOptions } from "../Sync.ts"
import { ownData } from "./Events.ts"

const decodeFilter = Schema.decodeUnknownResult(Filter)
const decodeInlineFilter = Schema.decodeUnknownResult(Schema.fromJsonString(Filter))

/** The filter of a request: JSON when it begins with a brace, else the id of a stored one. */
const filterOf = (user: User, filter: string | undefined): Filter => {
  if (filter === undefined) return {}
  const stored = user.filters[Number(filter)]
  if (!filter.startsWith("{") && stored === undefined) throw badParam("M_INVALID_PARAM", "Invalid filter ID")
  const decoded = filter.startsWith("{") ? decodeInlineFilter(filter) : decodeFilter(stored)
  if (Result.isFailure(decoded)) throw badParam("M_INVALID_PARAM", decoded.failure.message)
  return decoded.success
}

const optionsOf = ({ request: { query }, timelineLimit, user, world }: Call): SyncOptions => ({
  timelineLimit,
  since: query["since"] === undefined ? undefined : positionOfSyncToken(world, query["since"]),
  fullState: query["full_state"] === "true",
  stateAfter: query["org.matrix.msc4222.use_state_after"] === "true",
  filter: filterOf(user, query["filter"])
})

interface Look {
  readonly user: User
  /** `user.changes` when it was looked. */
  readonly changes: number
  readonly answer: Json | undefined
}

/** Looks once: an answer, or undefined when there is nothing worth one and the poll may wait. */
const look = (now: number, waiting: boolean) => (call: Call): Look => {
  const { device, user, world } = call
  endTyping(world, now)
  const options = optionsOf(call)
  const { body, empty } = sync(world, user, device, options, now)
  const wait = waiting && empty && options.since !== undefined && !options.fullState
  return { user, changes: user.changes, answer: wait ? undefined : body }
}

/** Returns when something has changed for the user since `changes` was read; at once if it has already. */
const changed = (user: User, changes: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (user.changes !== changes) return resume(Effect.void)
    const waiter = () => resume(Effect.void)
    user.waiters.add(waiter)
    return Effect.sync(() => void user.waiters.delete(waiter))
  })

/** Milliseconds. A timer takes no more than 2^31 of them. */
const longestPoll = 3_600_000

const longPoll = Effect.fn("Homeserver.sync")(function*(
  attempt: <A>(rule: (call: Call) => A) => Effect.Effect<A, Refusal>,
  { now: begun, request, world }: Visit
) {
  const timeout = Math.min(Math.max(0, Number(request.query["timeout"] ?? "0") || 0), longestPoll)
  // A fault may have set the clock of this request wrong: it goes on from there.
  const skew = begun - (yield* Clock.currentTimeMillis)
  while (true) {
    const now = (yield* Clock.currentTimeMillis) + skew
    const left = begun + timeout - now
    const seen = yield* attempt(look(now, left > 0))
    if (seen.answer !== undefined) return seen.answer
    // Nobody else tells that a typing notice has run out.
    const patience = Math.min(left, Math.max(0, nextTypingEnd(world) - now))
    yield* changed(seen.user, seen.changes).pipe(Effect.timeoutOption(patience))
  }
})

export const syncRoutes = [
  routeEffect("GET", "/_matrix/client/v3/sync", longPoll),
  routeBody(
    "POST",
    "/_matrix/client/v3/user/{userId}/filter",
    Schema.Record(Schema.String, Schema.Unknown),
    (call, filter) => ({ filter_id: String(ownData(call).user.filters.push(filter) - 1) })
  ),
  route("GET", "/_matrix/client/v3/user/{userId}/filter/{name}", (call) => {
    const filter = ownData(call).user.filters[Number(at(call).name)]
    if (filter === undefined) throw notFound("No such filter")
    return filter
  }),
  routeBody(
    "PUT",
    "/_matrix/client/v3/user/{userId}/account_data/{type}",
    Schema.Record(Schema.String, Schema.Unknown),
    (call, content) => {
      const { user, world } = ownData(call)
      user.accountData.set(at(call).type, { position: ++world.position, value: structuredClone(content) })
      wake(world, user)
      return {}
    }
  ),
  route("GET", "/_matrix/client/v3/user/{userId}/account_data/{type}", (call) => {
    const stored = ownData(call).user.accountData.get(at(call).type)
    if (stored === undefined) throw notFound("Account data not found")
    return stored.value
  })
]
