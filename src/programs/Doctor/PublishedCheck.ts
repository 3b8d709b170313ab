import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { DeviceId, UserId } from "../../domain/Ids.ts"
import type { KeptKeys } from "../../layers/MatrixClient/KeptDevice.ts"
import { refusalOf } from "../../layers/MatrixClient/Requests.ts"
import { Transport } from "../../layers/MatrixClient/Transport.ts"
import { type Check, fail, ok, warn } from "./Check.ts"

const Devices = Schema.Record(Schema.String, Schema.Struct({ keys: Schema.Record(Schema.String, Schema.String) }))
const Answer = Schema.Struct({ device_keys: Schema.Record(Schema.String, Devices) })

/** Whether the homeserver tells others the keys that are here: without, they cannot encrypt for the bot. */
export const checkPublished = Effect.fn("Doctor.checkPublished")(function*({ accessToken, device, kept, url, user }: {
  readonly url: string
  readonly accessToken: Redacted.Redacted
  readonly user: UserId
  readonly device: DeviceId
  readonly kept: KeptKeys | undefined
}) {
  if (kept?.device !== device) return []
  const { send } = yield* Transport
  const answer = yield* Effect.result(send({
    homeserverUrl: url,
    method: "POST",
    path: "/keys/query",
    body: { device_keys: { [user]: [device] } },
    accessToken
  }))
  const told = Result.isSuccess(answer) && refusalOf("query own keys", answer.success) === undefined
    ? Schema.decodeUnknownOption(Answer)(answer.success.body)
    : Option.none()
  if (Option.isNone(told)) {
    return [warn(name, "The homeserver does not tell which keys this device has.", "Ask again later.")]
  }
  const published = told.value.device_keys[user]?.[device]?.keys[`ed25519:${device}`]
  return [judge(device, published, kept)]
})

const judge = (device: DeviceId, published: string | undefined, { marks }: KeptKeys): Check => {
  if (published === undefined) {
    return warn(
      name,
      `The homeserver has no keys of device ${device}: nobody can encrypt for it.`,
      "A start brings them there, or says that the device was deleted and what to do."
    )
  }
  return marks === undefined || marks.fingerprint === published
    ? ok(name, `The homeserver tells others those of device ${device}.`)
    : fail(
      name,
      `The homeserver has other keys of device ${device} than those in crypto.db, which others would take for an impostor's.`,
      `Put back the crypto.db and crypto.key of this device, or run "homing sign-out" and start again.`,
      "storeUnusable"
    )
}

const name = "published keys"
