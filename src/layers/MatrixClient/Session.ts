import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { CredentialsRefused, type MatrixFailure } from "../../domain/Errors.ts"
import { DeviceId, serverOf, UserId } from "../../domain/Ids.ts"
import { AppConfig, type Settings } from "../AppConfig.ts"
import { MatrixSession, type Session } from "../MatrixClient.ts"
import { Store } from "../Store.ts"
import { record } from "./Json.ts"
import { KeptDevice } from "./KeptDevice.ts"
import { NoAnswer } from "./NoAnswer.ts"
import { withPatience } from "./Patience.ts"
import { failure, type RawAnswer, refusalOf } from "./Requests.ts"
import { type Credentials, sessionEnded, SignedIn } from "./SignedIn.ts"
import { Transport } from "./Transport.ts"

const WhoAmI = Schema.Struct({ user_id: UserId, device_id: Schema.optionalKey(DeviceId) })
const Login = Schema.Struct({ user_id: UserId, device_id: DeviceId, access_token: Schema.NonEmptyString })

const refused = (detail: string, remedy: string) => new CredentialsRefused({ detail, remedy })

/** What is no refusal of the account is no answer yet: a busy server, a limit, a proxy's web page. */
const settled = (name: string, answer: RawAnswer): Effect.Effect<MatrixFailure | undefined, NoAnswer> => {
  const refusal = refusalOf(name, answer)
  switch (refusal?.reason._tag) {
    case "RateLimited":
      return Effect.fail(
        new NoAnswer({
          detail: `it asks to wait ${Math.ceil(refusal.reason.retryAfter / 1000)} s before ${name} is tried again.`,
          final: false,
          retryAfter: refusal.reason.retryAfter
        })
      )
    case "Unreachable":
    case "NotMatrix":
      return Effect.fail(new NoAnswer({ detail: `${name} is answered with HTTP ${answer.status}.`, final: false }))
    default:
      return Effect.succeed(refusal)
  }
}

const decoded = <S extends Schema.ConstraintDecoder<unknown>>(name: string, schema: S, body: unknown) =>
  Option.match(Schema.decodeUnknownOption(schema)(body), {
    onNone: () => {
      const what = record(body) === undefined ? "something that is no JSON, such as a web page" : "other JSON"
      return Effect.fail(new NoAnswer({ detail: `${name} is answered with ${what}.`, final: true }))
    },
    onSome: (value) => Effect.succeed(value)
  })

/** The server's own words, which may end with a full stop or without. */
const asSentence = (words: string): string => words.replace(/\.*$/, ".")

/** Where a homeserver is looked for, and the setting that says so. */
const addressOf = ({ homeserverUrl, serverName, userId }: Settings) => {
  if (homeserverUrl !== undefined) return { url: homeserverUrl.href, setting: "HOMING_HOMESERVER_URL" }
  if (serverName !== undefined) return { url: serverName, setting: "HOMING_SERVER_NAME" }
  if (userId !== undefined) return { url: serverOf(userId), setting: "HOMING_USER_ID" }
  return { url: "the homeserver of the last start", setting: "HOMING_HOMESERVER_URL" }
}

const make = Effect.gen(function*() {
  const settings = yield* AppConfig
  const store = yield* Store
  const transport = yield* Transport
  const signedIn = yield* SignedIn
  const keptDevice = yield* KeptDevice

  const whoAmI = Effect.fn("MatrixSession.whoAmI")(function*(homeserverUrl: string, accessToken: Redacted.Redacted) {
    const name = "the check of the session"
    const answer = yield* transport.send({ homeserverUrl, method: "GET", path: "/account/whoami", accessToken })
    const refusal = yield* settled(name, answer)
    return refusal ?? (yield* decoded(name, WhoAmI, answer.body))
  })

  const keep = Effect.fn("MatrixSession.keep")(function*(credentials: Credentials) {
    const { accessToken, session } = credentials
    yield* store.session.save({ ...session, accessToken })
    yield* signedIn.set(credentials)
    return session
  })

  const checkUser = (found: UserId, what: string) =>
    settings.userId === undefined || settings.userId === found
      ? Effect.void
      : Effect.fail(refused(
        `${what} belongs to ${found}, but ${settings.userId} is configured.`,
        `Set HOMING_USER_ID to ${found}, or use the credentials and the data directory of ${settings.userId}.`
      ))

  /** The device of this data directory, whose keys are in it; undefined before the first sign-in. */
  const ownDevice = Effect.gen(function*() {
    return (yield* store.session.deviceId) ?? (yield* keptDevice)
  })

  /** With the token of another device the keys here are worth nothing: that is for the operator to say, and not to happen. */
  const checkDevice = Effect.fnUntraced(function*(found: DeviceId) {
    const own = yield* ownDevice
    if (own === undefined || own === found) return
    return yield* refused(
      `the access token belongs to device ${found}, but this data directory has the keys of device ${own}.`,
      `Set HOMING_ACCESS_TOKEN to a token of ${own}, or run "homing sign-out" and start again: ${found} takes its place, and reads ` +
        "old messages with the recovery key."
    )
  })

  const withPassword = Effect.fn("MatrixSession.withPassword")(function*(homeserverUrl: string) {
    const { password, userId } = settings
    if (password === undefined || userId === undefined) {
      return yield* refused(
        password === undefined ? "there are no credentials." : "it is not known whose password this is.",
        "Set HOMING_ACCESS_TOKEN, or both HOMING_USER_ID and HOMING_PASSWORD."
      )
    }
    const name = "the sign-in"
    const device = yield* ownDevice
    const answer = yield* transport.send({
      homeserverUrl,
      method: "POST",
      path: "/login",
      body: {
        type: "m.login.password",
        identifier: { type: "m.id.user", user: userId },
        password: Redacted.value(password),
        initial_device_display_name: settings.deviceName,
        ...(device === undefined ? {} : { device_id: device })
      }
    })
    const refusal = yield* settled(name, answer)
    if (refusal?.reason._tag === "Forbidden") {
      return yield* refused(
        `the password of ${userId} is wrong, or there is no such account.`,
        "Check HOMING_USER_ID and HOMING_PASSWORD."
      )
    }
    if (refusal !== undefined) {
      return yield* refused(
        `signing in with a password is not possible: ${asSentence(refusal.detail)}`,
        "Set HOMING_ACCESS_TOKEN in place of HOMING_PASSWORD."
      )
    }
    const login = yield* decoded(name, Login, answer.body)
    return yield* keep({
      session: { userId: login.user_id, deviceId: login.device_id, homeserverUrl },
      accessToken: Redacted.make(login.access_token)
    })
  })

  const withToken = Effect.fn("MatrixSession.withToken")(
    function*(homeserverUrl: string, accessToken: Redacted.Redacted) {
      const stored = yield* store.session.load
      const configured = settings.accessToken !== undefined
      const known = stored !== undefined && Redacted.value(stored.accessToken) === Redacted.value(accessToken)
      const answer = yield* whoAmI(homeserverUrl, accessToken)
      if ("user_id" in answer) {
        yield* checkUser(answer.user_id, configured ? "the access token" : "the stored session")
        if (answer.device_id === undefined) {
          return yield* refused(
            "the access token has no device, which encryption and sending once need.",
            "Set HOMING_ACCESS_TOKEN to a token that a sign-in gave, or set HOMING_USER_ID and HOMING_PASSWORD."
          )
        }
        // Of another account the store says so: no token of this device would be of use there.
        if (stored === undefined || stored.userId === answer.user_id) yield* checkDevice(answer.device_id)
        return yield* keep({
          session: { userId: answer.user_id, deviceId: answer.device_id, homeserverUrl },
          accessToken
        })
      }
      const softLogout = answer.reason._tag === "UnknownToken" && answer.reason.softLogout
      // Soft: the server keeps the device, so that the same device id with the password is the same device again.
      if (softLogout && known && settings.password !== undefined && settings.userId === stored.userId) {
        return yield* withPassword(homeserverUrl)
      }
      if (known && answer.reason._tag === "UnknownToken") return yield* sessionEnded(stored, softLogout, settings)
      return yield* refused(
        `the access token is not accepted: ${asSentence(answer.detail)}`,
        configured ? "Set a new HOMING_ACCESS_TOKEN." : "Run \"homing sign-out\" and start again."
      )
    }
  )

  const authenticate = Effect.gen(function*() {
    const stored = yield* store.session.load
    const accessToken = settings.accessToken ?? stored?.accessToken
    const user = settings.userId ?? stored?.userId
    const server = settings.serverName ?? (user === undefined ? undefined : serverOf(user))
    const address = settings.homeserverUrl?.href ?? stored?.homeserverUrl
    if (address === undefined && server === undefined) {
      return yield* refused(
        "it is not known which homeserver the bot belongs to.",
        "Set HOMING_HOMESERVER_URL, and HOMING_ACCESS_TOKEN or HOMING_USER_ID and HOMING_PASSWORD."
      )
    }
    if (accessToken === undefined && (settings.password === undefined || settings.userId === undefined)) {
      return yield* withPassword(address ?? "")
    }
    if (stored !== undefined && settings.accessToken === undefined) {
      yield* checkUser(stored.userId, "the data directory")
    }
    const homeserverUrl = yield* transport.locate(address, server)
    return yield* accessToken === undefined ? withPassword(homeserverUrl) : withToken(homeserverUrl, accessToken)
  }).pipe(
    (attempt) => withPatience(attempt, { ...addressOf(settings), patience: settings.startPatience }),
    Effect.withSpan("MatrixSession.authenticate")
  )

  const signOut = Effect.gen(function*() {
    const stored = yield* store.session.load
    if (stored !== undefined) {
      const answer = yield* transport.send({
        homeserverUrl: stored.homeserverUrl,
        method: "POST",
        path: "/logout",
        body: {},
        accessToken: stored.accessToken
      }).pipe(
        Effect.mapError(({ detail }) => failure("sign out", { _tag: "Unreachable", detail }, detail))
      )
      const refusal = refusalOf("sign out", answer)
      // A session that the server ended before is gone, which is all that was asked for.
      if (refusal !== undefined && refusal.reason._tag !== "UnknownToken") return yield* refusal
    }
    // Signing out deletes the device on the server: its id must not come back with other keys.
    yield* store.session.forgetDevice
  }).pipe(Effect.withSpan("MatrixSession.signOut"))

  return MatrixSession.of({
    authenticate,
    self: Effect.map(signedIn.credentials, (_): Session => _.session),
    signOut
  })
})

/** Signs in over whatever carries the requests. */
export const layer = Layer.effect(MatrixSession, make)
