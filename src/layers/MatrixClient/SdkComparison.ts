import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import {
  type CryptoApi,
  type ShowSasCallbacks,
  VerificationPhase,
  type VerificationRequest,
  VerificationRequestEvent,
  VerifierEvent
} from "matrix-js-sdk/lib/crypto-api/index.js"
import {
  ClientEvent,
  EventType,
  KnownMembership,
  type MatrixClient,
  type MatrixEvent
} from "matrix-js-sdk/lib/matrix.js"
import { type ComparisonEnd, noDirectRoom, noIdentity } from "../../domain/Encryption.ts"
import type { MatrixFailure } from "../../domain/Errors.ts"
import type { UserId } from "../../domain/Ids.ts"
import { failure } from "./Requests.ts"
import { failureOf } from "./SdkRequests.ts"

/** As long as clients wait for each other (Client-Server API, "Key verification framework"). */
const patience = Duration.minutes(10)

/** Shows the emoji to a person; true when the person says that they match. */
export type Decide = (emoji: ReadonlyArray<readonly [symbol: string, name: string]>) => Effect.Effect<boolean>

/** Asks `user`, or the account's other sessions, to compare emoji, and sees it to its end. The client must be syncing. */
export const compareWith = Effect.fn("SdkComparison.compareWith")(function*(
  { client, crypto, decide, user }: {
    readonly client: MatrixClient
    readonly crypto: CryptoApi
    readonly user: UserId
    readonly decide: Decide
  }
): Effect.fn.Return<ComparisonEnd, MatrixFailure> {
  const request = user === client.getSafeUserId()
    ? yield* ask(() => crypto.requestOwnUserVerification())
    : yield* requestInRoom(client, crypto, user)
  if (!("phase" in request)) return request
  return yield* seeThrough(client, request, decide).pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.succeed<ComparisonEnd>({ _tag: "Cancelled", code: "m.timeout", byThem: false })
    }),
    // An answer that comes when nobody waits any more would be met by silence.
    Effect.onExit(() => isOver(request) ? Effect.void : Effect.ignore(Effect.tryPromise(() => request.cancel())))
  )
})

/** People verify each other in a room of the two: clients show it there, on whichever device they are. */
const requestInRoom = Effect.fnUntraced(function*(client: MatrixClient, crypto: CryptoApi, user: UserId) {
  if (!(yield* ask(() => crypto.userHasCrossSigningKeys(user, true)))) return noIdentity
  const room = client.getRooms().find((room) =>
    room.getJoinedMemberCount() === 2 && room.getMyMembership() === KnownMembership.Join &&
    room.getMember(user)?.membership === KnownMembership.Join
  )
  if (room === undefined) return noDirectRoom
  return yield* ask(() => crypto.requestVerificationDM(user, room.roomId))
})

const isOver = ({ phase }: VerificationRequest): boolean =>
  phase === VerificationPhase.Cancelled || phase === VerificationPhase.Done

const seeThrough = Effect.fnUntraced(function*(client: MatrixClient, request: VerificationRequest, decide: Decide) {
  yield* until(request, () => request.phase >= VerificationPhase.Ready)
  if (isOver(request)) return endOf(request)
  const verifier = request.verifier ?? (yield* ask(() => request.startVerification("m.sas.v1")))
  const compared = yield* Queue.unbounded<ShowSasCallbacks>()
  verifier.on(VerifierEvent.ShowSas, (sas) => void Queue.offerUnsafe(compared, sas))
  const verified = Effect.exit(Effect.tryPromise(() => verifier.verify()))
  const shown = Queue.take(compared).pipe(
    Effect.flatMap((sas) => answer(sas, decide)),
    Effect.andThen(Effect.never)
  )
  // Whoever ends it on the other side ends the question here, too.
  yield* Effect.raceFirst(verified, shown)
  yield* until(request, () => isOver(request))
  const end = endOf(request)
  if (end._tag === "Cancelled" && !end.byThem) yield* cancellationSent(client)
  return end
})

/** The SDK sends it beside, and a client that ends takes it along; it tells nobody, but in a room it comes back with a sync. */
const cancellationSent = (client: MatrixClient): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const look = (event: MatrixEvent) => {
      if (event.getType() === EventType.KeyVerificationCancel && event.getSender() === client.getUserId()) {
        resume(Effect.void)
      }
    }
    client.on(ClientEvent.Event, look)
    return Effect.sync(() => client.off(ClientEvent.Event, look))
  }).pipe(Effect.timeoutOption("3 seconds"), Effect.asVoid)

const answer = Effect.fnUntraced(function*(sas: ShowSasCallbacks, decide: Decide) {
  const match = yield* decide(sas.sas.emoji ?? [])
  if (match) yield* Effect.ignore(Effect.tryPromise(() => sas.confirm()))
  else yield* Effect.sync(() => sas.mismatch())
})

const endOf = (request: VerificationRequest): ComparisonEnd =>
  request.phase === VerificationPhase.Done
    ? { _tag: "Done" }
    : {
      _tag: "Cancelled",
      code: request.cancellationCode ?? "unknown",
      byThem: request.cancellingUserId === request.otherUserId && !request.isSelfVerification
    }

const until = (request: VerificationRequest, condition: () => boolean): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const look = () => {
      if (!condition()) return
      request.off(VerificationRequestEvent.Change, look)
      resume(Effect.void)
    }
    request.on(VerificationRequestEvent.Change, look)
    look()
    return Effect.sync(() => request.off(VerificationRequestEvent.Change, look))
  })

const ask = <A>(work: () => Promise<A>): Effect.Effect<A, MatrixFailure> =>
  Effect.tryPromise({
    try: work,
    catch: (thrown) =>
      thrown instanceof Error && !("httpStatus" in thrown)
        ? failure("compare emoji", { _tag: "NotMatrix", detail: thrown.name }, thrown.message)
        : failureOf("compare emoji", thrown)
  })
