/** Finding the server, signing in and out, and the profile. */
import * as Schema from "effect/Schema"
import {
  checkPassword,
  endDevice,
  isRegistered,
  offerLogin,
  redeemLogin,
  refresh,
  refreshableLifetime,
  registerUser,
  type Session,
  signIn,
  signOutUser
} from "../Accounts.ts"
import { append, fullUserId, type Json, type User } from "../Model.ts"
import { badParam, forbidden, notFound, Refusal } from "../Refusal.ts"
import { defaultRoomVersion, roomVersions } from "../RoomCreation.ts"
import { stateContent } from "../Rooms.ts"
import { at, type Call, open, openBody, route, routeBody, type Visit } from "../Router.ts"
import { Auth, confirm } from "./Confirmation.ts"

const Login = Schema.Struct({
  type: Schema.String,
  identifier: Schema.optional(Schema.Struct({ type: Schema.String, user: Schema.optional(Schema.String) })),
  /** Deprecated place of the user. */
  user: Schema.optional(Schema.String),
  password: Schema.optional(Schema.String),
  /** Of `m.login.token`. */
  token: Schema.optional(Schema.String),
  device_id: Schema.optional(Schema.String),
  refresh_token: Schema.optional(Schema.Boolean),
  initial_device_display_name: Schema.optional(Schema.String)
})

const Register = Schema.Struct({
  username: Schema.optional(Schema.String),
  password: Schema.optional(Schema.String),
  device_id: Schema.optional(Schema.String),
  refresh_token: Schema.optional(Schema.Boolean),
  initial_device_display_name: Schema.optional(Schema.String),
  inhibit_login: Schema.optional(Schema.Boolean),
  auth: Schema.optional(Schema.Struct({ type: Schema.optional(Schema.String) }))
})

const credentials = ({ refreshToken, token }: Session): Json => ({
  access_token: token,
  ...(refreshToken === undefined ? {} : { refresh_token: refreshToken, expires_in_ms: refreshableLifetime })
})

type Wish = Pick<typeof Login.Type, "device_id" | "initial_device_display_name" | "refresh_token">

const newSession = ({ now, world }: Visit, user: User, wish: Wish): Json => {
  const session = signIn(world, user, {
    deviceId: wish.device_id,
    displayName: wish.initial_device_display_name,
    refreshable: wish.refresh_token
  }, now)
  return {
    user_id: user.userId,
    device_id: session.device.deviceId,
    home_server: world.serverName,
    ...credentials(session)
  }
}

const login = (visit: Visit, body: typeof Login.Type): Json => {
  if (body.type === "m.login.token") return newSession(visit, redeemLogin(visit.world, body.token ?? ""), body)
  if (body.type !== "m.login.password") throw badParam("M_UNKNOWN", `Unknown login type ${body.type}`)
  const name = body.identifier?.user ?? body.user
  if (name === undefined || body.password === undefined) {
    throw badParam("M_BAD_JSON", "A user and a password are needed")
  }
  return newSession(visit, checkPassword(visit.world, name, body.password), body)
}

const register = (visit: Visit, body: typeof Register.Type): Json => {
  if (visit.request.query["kind"] === "guest") throw forbidden("Guest access is disabled")
  if (body.auth?.type !== "m.login.dummy") {
    throw new Refusal(401, "M_UNAUTHORIZED", "Say m.login.dummy", {
      session: "open",
      params: {},
      flows: [{ stages: ["m.login.dummy"] }]
    })
  }
  const user = registerUser(visit.world, body.username ?? `user${visit.world.users.size + 1}`, body.password ?? "")
  return body.inhibit_login === true ? { user_id: user.userId } : newSession(visit, user, body)
}

const signOut = ({ device, world }: Call): Json => {
  endDevice(world, device, "hard")
  return {}
}

const signOutEverywhere = ({ user, world }: Call): Json => {
  signOutUser(world, user.userId, "hard")
  return {}
}

/** Rooms follow the profile: a new member event in each of them (Client-Server API, "Events on Change of Profile"). */
const changeProfile = (
  call: Call,
  change: { readonly displayName?: string | undefined; readonly avatarUrl?: string | undefined }
): Json => {
  const { now, user, world } = call
  if (at(call).user !== user.userId) throw forbidden("Cannot change the profile of somebody else")
  Object.assign(user, change)
  for (const roomId of user.rooms.keys()) {
    const room = world.rooms.get(roomId)
    if (room?.joined.has(user.userId) !== true) continue
    append(world, room, {
      type: "m.room.member",
      sender: user.userId,
      stateKey: user.userId,
      content: {
        ...stateContent(room, "m.room.member", user.userId),
        displayname: user.displayName ?? null,
        avatar_url: user.avatarUrl ?? null
      }
    }, now)
  }
  return {}
}

const profileOf = (visit: Visit): Json => {
  const user = visit.world.users.get(at(visit).user)
  if (user === undefined || !isRegistered(user)) throw notFound("Profile was not found")
  return {
    ...(user.displayName === undefined ? {} : { displayname: user.displayName }),
    ...(user.avatarUrl === undefined ? {} : { avatar_url: user.avatarUrl })
  }
}

const pick = (profile: Json, key: string): Json => (key in profile ? { [key]: profile[key] } : {})

const available = Object.fromEntries(roomVersions.map((version) => [version, "stable"]))

const versions = Array.from({ length: 13 }, (_, index) => `v1.${index + 1}`)

export const sessionRoutes = [
  open("GET", "/_matrix/client/versions", () => ({
    versions,
    unstable_features: { "org.matrix.msc4222": true }
  })),
  open("GET", "/.well-known/matrix/client", ({ request, world }) => ({
    "m.homeserver": { base_url: request.baseUrl ?? `http://${world.serverName}` }
  })),
  open("GET", "/_matrix/client/v3/login", () => ({
    flows: [{ type: "m.login.password" }, { type: "m.login.token", get_login_token: true }]
  })),
  openBody("POST", "/_matrix/client/v3/login", Login, login),
  openBody("POST", "/_matrix/client/v3/register", Register, register),
  open("GET", "/_matrix/client/v3/register/available", ({ request, world }) => {
    const user = world.users.get(fullUserId(world, request.query["username"] ?? ""))
    if (isRegistered(user)) throw badParam("M_USER_IN_USE", "User ID already taken.")
    return { available: true }
  }),
  openBody(
    "POST",
    "/_matrix/client/v3/refresh",
    Schema.Struct({ refresh_token: Schema.String }),
    (visit, body) => credentials(refresh(visit.world, body.refresh_token, visit.now))
  ),
  routeBody("POST", "/_matrix/client/v1/login/get_token", Schema.Struct({ auth: Auth }), (call, { auth }) => {
    confirm(call, auth)
    return { login_token: offerLogin(call.world, call.user), expires_in_ms: 120_000 }
  }),
  route("POST", "/_matrix/client/v3/logout", signOut),
  route("POST", "/_matrix/client/v3/logout/all", signOutEverywhere),
  route("GET", "/_matrix/client/v3/capabilities", () => ({
    capabilities: {
      "m.room_versions": { default: defaultRoomVersion, available },
      "m.change_password": { enabled: true },
      "m.get_login_token": { enabled: true }
    }
  })),
  open("GET", "/_matrix/client/v3/profile/{userId}", profileOf),
  open("GET", "/_matrix/client/v3/profile/{userId}/displayname", (visit) => pick(profileOf(visit), "displayname")),
  open("GET", "/_matrix/client/v3/profile/{userId}/avatar_url", (visit) => pick(profileOf(visit), "avatar_url")),
  routeBody(
    "PUT",
    "/_matrix/client/v3/profile/{userId}/displayname",
    Schema.Struct({ displayname: Schema.String }),
    (call, body) => changeProfile(call, { displayName: body.displayname })
  ),
  routeBody(
    "PUT",
    "/_matrix/client/v3/profile/{userId}/avatar_url",
    Schema.Struct({ avatar_url: Schema.String }),
    (call, body) => changeProfile(call, { avatarUrl: body.avatar_url })
  ),
  route("GET", "/_matrix/client/v3/thirdparty/protocols", () => ({})),
  // No TURN server: Synapse answers so too.
  route("GET", "/_matrix/client/v3/voip/turnServer", () => ({}))
]
