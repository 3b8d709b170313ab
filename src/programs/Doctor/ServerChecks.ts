import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { DeviceId, serverOf, UserId } from "../../domain/Ids.ts"
import { AppConfig } from "../../layers/AppConfig.ts"
import type { KeptKeys } from "../../layers/MatrixClient/KeptDevice.ts"
import { refusalOf } from "../../layers/MatrixClient/Requests.ts"
import { Transport } from "../../layers/MatrixClient/Transport.ts"
import type { StoredSession } from "../../layers/Store.ts"
import { type Check, fail, ok, warn } from "./Check.ts"
import { checkPublished } from "./PublishedCheck.ts"

const WhoAmI = Schema.Struct({ user_id: UserId, device_id: Schema.optionalKey(DeviceId) })

/** Whether a homeserver answers, and knows the bot. Signs nobody in: that would make a device. */
export const checkServer = Effect.fn("Doctor.checkServer")(function*(
  stored: StoredSession | undefined,
  kept: KeptKeys | undefined
) {
  const settings = yield* AppConfig
  const transport = yield* Transport
  const user = settings.userId ?? stored?.userId
  const server = settings.serverName ?? (user === undefined ? undefined : serverOf(user))
  const address = settings.homeserverUrl?.href ?? stored?.homeserverUrl

  const located = yield* Effect.result(transport.locate(address, server))
  if (Result.isFailure(located)) {
    const where = address ?? server ?? "the homeserver"
    return [
      fail("homeserver", `No homeserver at ${where}: ${located.failure.detail}`, checkAddress, "homeserverUnreachable")
    ]
  }
  const url = located.success
  return [ok("homeserver", `${url} speaks Matrix.`), ...(yield* checkSession(url, stored, kept))]
})

const checkAddress = "Check HOMING_HOMESERVER_URL, and that this machine can reach it."

const checkSession = Effect.fn("Doctor.checkSession")(function*(
  url: string,
  stored: StoredSession | undefined,
  kept: KeptKeys | undefined
) {
  const settings = yield* AppConfig
  const token = settings.accessToken ?? stored?.accessToken
  if (token === undefined) {
    return [
      settings.password === undefined
        ? fail(name, "There is neither a session nor a token nor a password.", giveCredentials, "credentialsRefused")
        : ok(
          name,
          `The next start signs in with the password of ${settings.userId}. It was not tried: that would make a session.`
        )
    ]
  }
  const transport = yield* Transport
  const request = { homeserverUrl: url, method: "GET", path: "/account/whoami", accessToken: token } as const
  const answer = yield* Effect.result(transport.send(request))
  if (Result.isFailure(answer)) {
    return [
      fail(name, `The token could not be checked: ${answer.failure.detail}`, checkAddress, "homeserverUnreachable")
    ]
  }
  const refusal = refusalOf("whoami", answer.success)
  if (refusal !== undefined) {
    const transient = refusal.reason._tag === "RateLimited" || refusal.reason._tag === "Unreachable"
    return [
      transient
        ? warn(name, `The token could not be checked now: ${refusal.detail}`, "Ask again later.")
        : fail(
          name,
          `The homeserver does not accept the token: ${refusal.detail}`,
          renew(settings, stored),
          "credentialsRefused"
        )
    ]
  }
  const who = Schema.decodeUnknownOption(WhoAmI)(answer.success.body)
  if (Option.isNone(who)) {
    return [fail(name, "The homeserver answers with something unexpected.", checkAddress, "homeserverUnreachable")]
  }
  const { device_id: device, user_id: user } = who.value
  const checks = judge(user, device, settings.userId, stored)
  if (device === undefined || checks.some(({ verdict }) => verdict !== "ok")) return checks
  return [...checks, ...(yield* checkPublished({ url, accessToken: token, user, device, kept }))]
})

const name = "session"

const giveCredentials = "Set HOMING_ACCESS_TOKEN, or both HOMING_USER_ID and HOMING_PASSWORD."

const renew = (settings: AppConfig["Service"], stored: StoredSession | undefined): string =>
  settings.accessToken !== undefined || stored === undefined
    ? "Set a new HOMING_ACCESS_TOKEN."
    : `Run "homing sign-out", and start again with HOMING_PASSWORD or HOMING_ACCESS_TOKEN.`

const judge = (
  user: UserId,
  device: DeviceId | undefined,
  configured: UserId | undefined,
  stored: StoredSession | undefined
): ReadonlyArray<Check> => {
  const expected = configured ?? stored?.userId
  if (expected !== undefined && expected !== user) {
    return [
      fail(
        name,
        `The token belongs to ${user}, but ${expected} is ${
          configured === undefined ? "in the data directory" : "configured"
        }.`,
        "Use the credentials and the data directory of one account.",
        "credentialsRefused"
      )
    ]
  }
  if (device === undefined) {
    return [
      fail(
        name,
        `The token of ${user} has no device, which encryption needs.`,
        "Use a token that a sign-in gave, or a password.",
        "credentialsRefused"
      )
    ]
  }
  const session = ok(name, `The homeserver knows the token as ${user}.`)
  return stored === undefined || stored.deviceId === device
    ? [session, ok("device", `${device}${stored === undefined ? ", which the first start will keep" : ", as ever"}.`)]
    : [
      session,
      fail(
        "device",
        `The token belongs to device ${device}, but this data directory has the keys of ${stored.deviceId}.`,
        `Use a token of ${stored.deviceId}, or run "homing sign-out" and start again: ${device} takes its place.`,
        "credentialsRefused"
      )
    ]
}
