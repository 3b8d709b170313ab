/** What an account has: devices, a password, push rules, presence. */
import * as Schema from "effect/Schema"
import { bearerOf, endDevice, setPassword, signOutUser } from "../Accounts.ts"
import type { Device, Json } from "../Model.ts"
import { pushRulesOf } from "../PushRules.ts"
import { forbidden, missingParam, notFound } from "../Refusal.ts"
import { at, type Call, route, routeBody } from "../Router.ts"
import { Auth, confirm } from "./Confirmation.ts"

const deviceView = (device: Device): Json => ({
  device_id: device.deviceId,
  ...(device.displayName === undefined ? {} : { display_name: device.displayName })
})

const deviceOf = (call: Call): Device => {
  const device = call.user.devices.get(at(call).name)
  if (device === undefined) throw notFound("No device found")
  return device
}

const deleteDevices = (call: Call, deviceIds: ReadonlyArray<string>, auth: typeof Auth.Type): Json => {
  confirm(call, auth)
  for (const deviceId of deviceIds) {
    const device = call.user.devices.get(deviceId)
    if (device !== undefined) endDevice(call.world, device, "hard")
  }
  return {}
}

const Presence = Schema.Struct({
  presence: Schema.Literals(["online", "offline", "unavailable"]),
  status_msg: Schema.optional(Schema.String)
})

const NewPassword = Schema.Struct({
  auth: Auth,
  new_password: Schema.optional(Schema.String),
  logout_devices: Schema.optional(Schema.Boolean)
})

const changePassword = (call: Call, body: typeof NewPassword.Type): Json => {
  confirm(call, body.auth)
  if (body.new_password === undefined) throw missingParam("new_password is needed")
  setPassword(call.user, body.new_password)
  if (body.logout_devices === false) return {}
  const own = bearerOf(call.world, call.request.accessToken)
  for (const device of call.user.devices.values()) if (device !== own) endDevice(call.world, device, "hard")
  return {}
}

const device = "/_matrix/client/v3/devices/{name}"
const presence = "/_matrix/client/v3/presence/{userId}/status"
const rules = "/_matrix/client/v3/pushrules"

export const accountRoutes = [
  route("GET", "/_matrix/client/v3/account/whoami", ({ device, user }) => ({
    user_id: user.userId,
    device_id: device.deviceId,
    is_guest: false
  })),
  route("GET", "/_matrix/client/v3/devices", ({ user }) => ({ devices: [...user.devices.values()].map(deviceView) })),
  route("GET", device, (call) => deviceView(deviceOf(call))),
  routeBody("PUT", device, Schema.Struct({ display_name: Schema.optional(Schema.String) }), (call, body) => {
    deviceOf(call).displayName = body.display_name
    return {}
  }),
  routeBody(
    "DELETE",
    device,
    Schema.Struct({ auth: Auth }),
    (call, { auth }) => deleteDevices(call, [at(call).name], auth)
  ),
  routeBody(
    "POST",
    "/_matrix/client/v3/delete_devices",
    Schema.Struct({ auth: Auth, devices: Schema.Array(Schema.String) }),
    (call, { auth, devices }) => deleteDevices(call, devices, auth)
  ),
  routeBody("POST", "/_matrix/client/v3/account/password", NewPassword, changePassword),
  routeBody("POST", "/_matrix/client/v3/account/deactivate", Schema.Struct({ auth: Auth }), (call, { auth }) => {
    confirm(call, auth)
    signOutUser(call.world, call.user.userId, "hard")
    // Nothing hashes to this: the name stays taken, and nobody signs in with it again.
    call.user.passwordHash = ""
    return { id_server_unbind_result: "no-support" }
  }),
  route("GET", "/_matrix/client/v3/account/3pid", () => ({ threepids: [] })),
  route("GET", "/_matrix/client/v3/pushers", () => ({ pushers: [] })),
  route("GET", "/_matrix/client/v3/notifications", () => ({ notifications: [] })),
  route("GET", `${rules}/`, ({ user }) => ({ global: pushRulesOf(user) })),
  route("GET", `${rules}/global/`, ({ user }) => pushRulesOf(user)),
  routeBody("PUT", presence, Presence, (call, body) => {
    if (at(call).user !== call.user.userId) throw forbidden("Cannot set the presence of somebody else")
    call.user.presence = body
    return {}
  }),
  route("GET", presence, (call) => {
    const user = call.world.users.get(at(call).user)
    if (user === undefined) throw notFound("There is no presence of this user")
    return { ...(user.presence ?? { presence: "offline" }) }
  })
]
