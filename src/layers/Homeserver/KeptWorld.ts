/**
 * The world as it is written down. What follows from the events (state, membership, relations, feeds) is not written but
 * worked out again, by the same functions that worked it out the first time.
 */
import * as Schema from "effect/Schema"
import {
  type Device,
  makeWorld,
  openRoom,
  record,
  replacedBy,
  type Room,
  type StoredEvent,
  type User,
  userOf,
  type World
} from "./Model.ts"

const Content = Schema.Record(Schema.String, Schema.Unknown)
const Position = Schema.Int
const OptionalText = Schema.optional(Schema.String)
const list = <S extends Schema.Constraint>(schema: S) => Schema.Array(schema)
/** A map, as its entries. */
const mapOf = <S extends Schema.Constraint>(value: S) => Schema.Array(Schema.Tuple([Schema.String, value]))

const KeptDevice = Schema.Struct({
  deviceId: Schema.String,
  displayName: OptionalText,
  transactions: mapOf(Schema.String),
  inbox: list(Schema.Struct({ position: Position, value: Content })),
  keys: Schema.optional(Content),
  oneTimeKeys: mapOf(Schema.Unknown),
  fallbackKeys: mapOf(Schema.Struct({ key: Schema.Unknown, used: Schema.Boolean }))
})

const StampedContent = Schema.Struct({ position: Position, value: Content })

const KeptBackup = Schema.Struct({
  version: Schema.String,
  algorithm: Schema.String,
  authData: Content,
  etag: Schema.Int,
  deleted: Schema.Boolean,
  rooms: mapOf(mapOf(Schema.Struct({
    first_message_index: Schema.Int,
    forwarded_count: Schema.Int,
    is_verified: Schema.Boolean,
    session_data: Content
  })))
})

const KeptUser = Schema.Struct({
  userId: Schema.String,
  passwordHash: OptionalText,
  displayName: OptionalText,
  avatarUrl: OptionalText,
  devices: list(KeptDevice),
  filters: list(Content),
  accountData: mapOf(StampedContent),
  crossSigning: mapOf(Content),
  backups: list(KeptBackup),
  /** The rooms that were not forgotten. */
  rooms: list(Schema.String)
})

const KeptEvent = Schema.Struct({
  position: Position,
  eventId: Schema.String,
  type: Schema.String,
  sender: Schema.String,
  sentAt: Schema.Number,
  stateKey: OptionalText,
  content: Content,
  redactedBecause: OptionalText,
  sentBy: Schema.optional(Schema.Struct({ device: Schema.String, transaction: Schema.String }))
})

const Receipt = Schema.Struct({
  userId: Schema.String,
  eventId: Schema.String,
  type: Schema.String,
  threadId: OptionalText,
  at: Schema.Number
})

/** One line of the file each, after the first. */
export const KeptRoom = Schema.Struct({
  roomId: Schema.String,
  version: Schema.String,
  listed: Schema.Boolean,
  events: list(KeptEvent),
  accountData: mapOf(mapOf(StampedContent)),
  receipts: mapOf(Schema.Struct({ position: Position, value: Receipt }))
})

const OfDevice = { userId: Schema.String, deviceId: Schema.String }

/** The first line of the file: everything but the rooms. */
export const KeptWorld = Schema.Struct({
  format: Schema.Literal(1),
  serverName: Schema.String,
  position: Position,
  generation: Schema.Int,
  identifiers: Schema.Int,
  users: list(KeptUser),
  tokens: mapOf(Schema.Struct({
    ...OfDevice,
    ended: Schema.optional(Schema.Literals(["soft", "hard"])),
    expiresAt: Schema.optional(Schema.Number)
  })),
  refreshTokens: mapOf(Schema.Struct(OfDevice)),
  /** How many rooms follow: a file that was cut off is noticed. */
  rooms: Schema.Int,
  aliases: mapOf(Schema.String),
  keyChanges: list(Schema.Struct({ position: Position, userId: Schema.String }))
})
export type KeptWorld = typeof KeptWorld.Type

// --- writing

const entriesOf = <A, B>(map: ReadonlyMap<string, A>, value: (value: A) => B) =>
  Array.from(map, ([key, held]) => [key, value(held)] as const)

const same = <A>(value: A): A => value
const named = ({ deviceId, userId }: Device) => ({ userId, deviceId })

const freezeDevice = (device: Device): (typeof KeptDevice)["Type"] => ({
  deviceId: device.deviceId,
  displayName: device.displayName,
  transactions: [...device.transactions],
  inbox: device.inbox,
  keys: device.keys,
  oneTimeKeys: [...device.oneTimeKeys],
  fallbackKeys: [...device.fallbackKeys]
})

const freezeUser = (user: User): (typeof KeptUser)["Type"] => ({
  userId: user.userId,
  passwordHash: user.passwordHash,
  displayName: user.displayName,
  avatarUrl: user.avatarUrl,
  devices: Array.from(user.devices.values(), freezeDevice),
  filters: user.filters,
  accountData: [...user.accountData],
  crossSigning: [...user.crossSigning],
  backups: user.backups.map((backup) => ({
    ...backup,
    rooms: entriesOf(backup.rooms, (sessions) => entriesOf(sessions, same))
  })),
  rooms: [...user.rooms.keys()]
})

const freezeEvent = (event: StoredEvent): (typeof KeptEvent)["Type"] => ({
  position: event.position,
  eventId: event.eventId,
  type: event.type,
  sender: event.sender,
  sentAt: event.sentAt,
  stateKey: event.stateKey,
  content: event.content,
  redactedBecause: event.redactedBecause?.eventId,
  sentBy: event.sentBy === undefined
    ? undefined
    : { device: event.sentBy.device.deviceId, transaction: event.sentBy.transaction }
})

export const freezeRoom = (room: Room): (typeof KeptRoom)["Type"] => ({
  roomId: room.roomId,
  version: room.version,
  listed: room.listed,
  events: room.events.map(freezeEvent),
  accountData: entriesOf(room.accountData, (types) => entriesOf(types, same)),
  receipts: [...room.receipts]
})

/** Media and login tokens are not kept, nor who is typing. */
export const freeze = (world: World): KeptWorld => ({
  format: 1,
  serverName: world.serverName,
  position: world.position,
  generation: world.generation,
  identifiers: world.identifiers,
  users: Array.from(world.users.values(), freezeUser),
  tokens: entriesOf(world.tokens, ({ device, ended, expiresAt }) => ({ ...named(device), ended, expiresAt })),
  refreshTokens: entriesOf(world.refreshTokens, named),
  rooms: world.rooms.size,
  aliases: [...world.aliases],
  keyChanges: world.keyChanges
})

// --- reading

const thawUser = (world: World, kept: KeptWorld["users"][number]): void => {
  const user = userOf(world, kept.userId)
  user.passwordHash = kept.passwordHash
  user.displayName = kept.displayName
  user.avatarUrl = kept.avatarUrl
  user.filters.push(...kept.filters)
  for (const device of kept.devices) {
    user.devices.set(device.deviceId, {
      userId: user.userId,
      deviceId: device.deviceId,
      displayName: device.displayName,
      transactions: new Map(device.transactions),
      inbox: [...device.inbox],
      keys: device.keys,
      oneTimeKeys: new Map(device.oneTimeKeys),
      fallbackKeys: new Map(device.fallbackKeys.map(([name, key]) => [name, { ...key }]))
    })
  }
  for (const [type, data] of kept.accountData) user.accountData.set(type, data)
  for (const [usage, key] of kept.crossSigning) user.crossSigning.set(usage, key)
  for (const backup of kept.backups) {
    user.backups.push({ ...backup, rooms: new Map(backup.rooms.map(([room, of]) => [room, new Map(of)])) })
  }
}

/** A device that is gone: its tokens are remembered as ended, and stand for nothing. */
const departed = (userId: string, deviceId: string): Device => ({
  userId,
  deviceId,
  displayName: undefined,
  transactions: new Map(),
  inbox: [],
  keys: undefined,
  oneTimeKeys: new Map(),
  fallbackKeys: new Map()
})

const thawTokens = (world: World, kept: KeptWorld): void => {
  const deviceOf = ({ deviceId, userId }: { readonly userId: string; readonly deviceId: string }): Device =>
    world.users.get(userId)?.devices.get(deviceId) ?? departed(userId, deviceId)
  for (const [name, token] of kept.tokens) {
    world.tokens.set(name, { device: deviceOf(token), ended: token.ended, expiresAt: token.expiresAt })
  }
  for (const [name, owner] of kept.refreshTokens) world.refreshTokens.set(name, deviceOf(owner))
}

/** Notes for these users that a room changed; their feeds are put in order at the end. */
const tell = (world: World, users: Iterable<string>, position: number, roomId: string): void => {
  for (const userId of users) userOf(world, userId).feed.push({ position, roomId })
}

const thawRoom = (world: World, kept: typeof KeptRoom.Type): void => {
  const { roomId } = kept
  const room = openRoom(world, roomId, kept.version)
  room.listed = kept.listed
  for (const { sentBy, ...one } of kept.events) {
    const device = sentBy === undefined ? undefined : world.users.get(one.sender)?.devices.get(sentBy.device)
    const event: StoredEvent = {
      position: one.position,
      eventId: one.eventId,
      roomId,
      type: one.type,
      sender: one.sender,
      sentAt: one.sentAt,
      stateKey: one.stateKey,
      content: one.content,
      redactedBecause: undefined,
      replaced: replacedBy(room, { type: one.type, stateKey: one.stateKey }),
      sentBy: device === undefined || sentBy === undefined ? undefined : { device, transaction: sentBy.transaction },
      related: undefined
    }
    tell(world, record(world, room, event), event.position, roomId)
  }
  for (const { eventId, redactedBecause } of kept.events) {
    const event = redactedBecause === undefined ? undefined : world.events.get(eventId)
    if (event !== undefined) event.redactedBecause = world.events.get(redactedBecause ?? "")
  }
  for (const [userId, types] of kept.accountData) {
    room.accountData.set(userId, new Map(types))
    for (const [, { position }] of types) tell(world, [userId], position, roomId)
  }
  for (const [key, receipt] of kept.receipts) {
    room.receipts.set(key, {
      position: receipt.position,
      value: { ...receipt.value, threadId: receipt.value.threadId }
    })
    tell(world, room.joined, receipt.position, roomId)
  }
}

/** The world that was written down; undefined when one of its rooms is. */
export const thaw = (kept: KeptWorld, rooms: Iterable<typeof KeptRoom.Type | undefined>): World | undefined => {
  const world = makeWorld(kept.serverName)
  world.position = kept.position
  world.generation = kept.generation
  world.identifiers = kept.identifiers
  for (const user of kept.users) thawUser(world, user)
  thawTokens(world, kept)
  for (const room of rooms) {
    if (room === undefined) return undefined
    thawRoom(world, room)
  }
  for (const { feed } of world.users.values()) feed.sort((one, other) => one.position - other.position)
  for (const { rooms: remembered, userId } of kept.users) {
    const user = userOf(world, userId)
    for (const roomId of user.rooms.keys()) if (!remembered.includes(roomId)) user.rooms.delete(roomId)
  }
  for (const [alias, roomId] of kept.aliases) world.aliases.set(alias, roomId)
  world.keyChanges.push(...kept.keyChanges)
  return world
}
