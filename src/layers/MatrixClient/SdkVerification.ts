import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import {
  CryptoEvent,
  type ShowSasCallbacks,
  VerificationPhase,
  type VerificationRequest,
  VerificationRequestEvent,
  type Verifier,
  VerifierEvent
} from "matrix-js-sdk/lib/crypto-api/index.js"
import { ClientEvent, type MatrixClient, MatrixEvent } from "matrix-js-sdk/lib/matrix.js"
import { answerVerification } from "../../domain/Encryption.ts"
import { UserId } from "../../domain/Ids.ts"
import { isAllowed } from "../../domain/Policy.ts"
import type { Settings } from "../AppConfig.ts"

type Rules = Pick<Settings, "admins" | "allowedServers" | "allowedUsers" | "autoVerify" | "shareKeys">

/** Answers those who ask to compare emoji, to-device or in a room, for as long as it runs. */
export const answerVerifications = Effect.fnUntraced(function*(client: MatrixClient, self: UserId, rules: Rules) {
  const requests = yield* Queue.unbounded<VerificationRequest>()
  client.on(CryptoEvent.VerificationRequestReceived, (request) => void Queue.offerUnsafe(requests, request))
  return yield* Queue.take(requests).pipe(
    Effect.flatMap((request) => Effect.forkChild(answer(client, self, request, rules))),
    Effect.forever
  )
})

const answer = Effect.fn("SdkVerification.answer")(
  function*(client: MatrixClient, self: UserId, request: VerificationRequest, rules: Rules) {
    const { otherDeviceId, otherUserId } = request
    const status = otherDeviceId === undefined
      ? undefined
      : yield* Effect.promise(() => client.getCrypto()?.getDeviceVerificationStatus(otherUserId, otherDeviceId) ?? none)
    const decision = answerVerification({
      own: otherUserId === self,
      signed: status?.signedByOwner === true,
      allowed: isAllowed(UserId.make(otherUserId), { ...rules, self }),
      autoVerify: rules.autoVerify,
      verifiedOnly: rules.shareKeys === "verified"
    })
    if (decision._tag === "Decline") {
      yield* Effect.logInfo("verification_declined").pipe(Effect.annotateLogs("reason", decision.because))
      return yield* Effect.tryPromise(() => request.cancel())
    }
    yield* Effect.tryPromise(() => request.accept())
    const verifier = yield* verifierOf(request)
    if (verifier === undefined) return
    const compared = yield* Queue.unbounded<ShowSasCallbacks>()
    verifier.on(VerifierEvent.ShowSas, (sas) => void Queue.offerUnsafe(compared, sas))
    yield* Queue.take(compared).pipe(Effect.flatMap(confirm), Effect.forkChild)
    yield* Effect.tryPromise(() => verifier.verify())
    yield* Effect.logInfo("verification_done")
  },
  (effect, _client, _self, { otherDeviceId, otherUserId, roomId }) =>
    effect.pipe(
      Effect.catch(() => Effect.logInfo("verification_ended")),
      Effect.annotateLogs({
        user: otherUserId,
        ...(otherDeviceId === undefined ? {} : { device: otherDeviceId }),
        ...(roomId === undefined ? {} : { room: roomId })
      })
    )
)

const none = Promise.resolve(undefined)

/** The emoji are in the log before the bot says that they match: the person compares them with it. */
const confirm = ({ confirm, sas }: ShowSasCallbacks) =>
  Effect.logInfo("verification_emoji").pipe(
    Effect.annotateLogs({
      emoji: (sas.emoji ?? []).map(([symbol, name]) => `${symbol} ${name}`).join(", "),
      decimals: (sas.decimal ?? []).join(" ")
    }),
    Effect.andThen(Effect.tryPromise(() => confirm()))
  )

/** Waits until the other side has chosen a method; undefined when it ends before. */
const verifierOf = (request: VerificationRequest): Effect.Effect<Verifier | undefined> =>
  Effect.callback((resume) => {
    const look = () => {
      const over = request.phase === VerificationPhase.Cancelled || request.phase === VerificationPhase.Done
      if (request.verifier === undefined && !over) return
      request.off(VerificationRequestEvent.Change, look)
      resume(Effect.succeed(request.verifier))
    }
    request.on(VerificationRequestEvent.Change, look)
    look()
    return Effect.sync(() => request.off(VerificationRequestEvent.Change, look))
  })

/** Verification in an encrypted room: the SDK is not shown what is encrypted there, and learns of it once it is opened. */
export const passOnVerification = (client: MatrixClient, event: MatrixEvent): Effect.Effect<void> =>
  Effect.sync(() => {
    const isOne = event.getType().startsWith("m.key.verification.") ||
      event.getContent()["msgtype"] === "m.key.verification.request"
    // In clear: for an encrypted one the SDK would wait until it is decrypted, which has been (rust-crypto.ts:2149).
    if (isOne) client.emit(ClientEvent.Event, new MatrixEvent({ ...event.getEffectiveEvent() }))
  })
