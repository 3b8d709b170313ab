import { type RoomId, type UserId } from "../../domain/Ids.ts"
import { markerType } from "../../domain/Marker.ts"
import { originType, readOrigin } from "../../domain/Origin.ts"
import type { OwnMembership, RoomMember, ServerRoom } from "../../domain/ServerRoom.ts"
import { eventsOf, field, type Json, record, textField } from "./Json.ts"
import { mayReplaceRoom, maySpeakIn } from "./PowerLevels.ts"
import {
  departureBy,
  departureOf,
  isRoomId,
  isUserId,
  ownMember,
  saysEncrypted,
  sectionsOf,
  stateOf
} from "./RoomSection.ts"

/** A room and the few state events that it is read from, so that a later answer can change one of them. */
interface KnownRoom {
  readonly state: {
    readonly create: Json | undefined
    readonly powerLevels: Json | undefined
    readonly tombstone: Json | undefined
  }
  readonly room: ServerRoom
  /** Its own state has said that it is encrypted: that holds for good, also after the bot has left it. Not what an invite says. */
  readonly everEncrypted: boolean
}

/** Every room of the account as of the last sync answer. A value: an answer makes a new one. */
export type RoomView = ReadonlyMap<RoomId, KnownRoom>

export const emptyView: RoomView = new Map()

const noRooms: ReadonlySet<RoomId> = new Set()

const unknownRoom = (roomId: RoomId, membership: OwnMembership): KnownRoom => ({
  state: { create: undefined, powerLevels: undefined, tombstone: undefined },
  everEncrypted: false,
  room: {
    roomId,
    membership,
    isSpace: false,
    name: undefined,
    encrypted: false,
    marker: undefined,
    tombstone: undefined,
    predecessor: undefined,
    origin: undefined,
    children: noRooms,
    listed: noRooms,
    members: new Map()
  }
})

const memberOf = (content: Json): RoomMember | undefined => {
  const membership = textField(content, "membership")
  if (membership !== "join" && membership !== "invite") return undefined
  const direct = membership === "invite" && field(content, "is_direct") === true
  return { membership, displayName: textField(content, "displayname"), ...(direct ? { direct } : {}) }
}

const applyState = (known: KnownRoom, events: ReadonlyArray<unknown>, self: UserId): KnownRoom => {
  if (events.length === 0) return known
  let { create, powerLevels, tombstone } = known.state
  let { encrypted, name } = known.room
  // Copied once, when a member really changes: an answer without one shares the map of the last.
  let members: Map<UserId, RoomMember> | undefined
  let children: Set<RoomId> | undefined
  let listed: Set<RoomId> | undefined
  for (const raw of events) {
    const event = record(raw)
    const content = record(field(event, "content"))
    const stateKey = textField(event, "state_key")
    if (event === undefined || content === undefined || stateKey === undefined) continue
    const type = textField(event, "type")
    if (type === "m.room.member") {
      if (!isUserId(stateKey)) continue
      members ??= new Map(known.room.members)
      const member = memberOf(content)
      if (member === undefined) members.delete(stateKey)
      else members.set(stateKey, member)
    } else if (type === "m.space.child") {
      if (!isRoomId(stateKey)) continue
      children ??= new Set(known.room.children)
      children.add(stateKey)
      listed ??= new Set(known.room.listed)
      // Without `via` it says that the room is not listed any more (Client-Server API, "m.space.child").
      if (Array.isArray(content["via"])) listed.add(stateKey)
      else listed.delete(stateKey)
    } else if (stateKey === "") {
      switch (type) {
        case "m.room.create":
          create = event
          break
        case "m.room.power_levels":
          powerLevels = content
          break
        case "m.room.tombstone":
          tombstone = event
          break
        case "m.room.name":
          name = textField(content, "name") || undefined
          break
        case "m.room.encryption":
          // Never taken back: a later event without an algorithm does not make the room readable to the server again.
          encrypted = true
          break
      }
    }
  }
  return derive(known, { create, powerLevels, tombstone }, {
    name,
    encrypted,
    children: children ?? known.room.children,
    listed: listed ?? known.room.listed,
    members: members ?? known.room.members
  }, self)
}

const derive = (
  { everEncrypted, room }: KnownRoom,
  state: KnownRoom["state"],
  changed: Pick<ServerRoom, "name" | "encrypted" | "children" | "listed" | "members">,
  self: UserId
): KnownRoom => {
  const createContent = field(state.create, "content")
  const predecessor = textField(field(createContent, "predecessor"), "room_id")
  const successor = textField(field(state.tombstone, "content"), "replacement_room")
  const replacedBy = textField(state.tombstone, "sender")
  const powers = { roomId: room.roomId, create: state.create, powerLevels: state.powerLevels }
  return {
    state,
    everEncrypted,
    room: {
      ...room,
      ...changed,
      isSpace: textField(createContent, "type") === "m.space",
      predecessor: isRoomId(predecessor) ? predecessor : undefined,
      origin: textField(state.create, "sender") === self ? readOrigin(field(createContent, originType)) : undefined,
      tombstone: isRoomId(successor) && isUserId(replacedBy)
        ? {
          successor,
          sender: replacedBy,
          permitted: mayReplaceRoom(replacedBy, powers),
          maySpeak: maySpeakIn(self, powers, changed.encrypted)
        }
        : undefined
    }
  }
}

const applyAccountData = (known: KnownRoom, events: ReadonlyArray<unknown>): KnownRoom => {
  const marker = events.findLast((event) => textField(event, "type") === markerType)
  return marker === undefined ? known : { ...known, room: { ...known.room, marker: field(marker, "content") } }
}

const withMembership = (known: KnownRoom, membership: OwnMembership): KnownRoom => {
  const inside = membership === "join" || membership === "invite"
  return {
    ...known,
    room: { ...known.room, membership, members: inside ? known.room.members : new Map() }
  }
}

/**
 * A room that was just entered comes with its whole state: of the time before, only the marker, our own word, is kept, and that it was
 * encrypted, which a server cannot take back.
 */
const entered = (roomId: RoomId, membership: OwnMembership, before: KnownRoom | undefined): KnownRoom => {
  const fresh = unknownRoom(roomId, membership)
  const everEncrypted = before?.everEncrypted === true
  return { ...fresh, everEncrypted, room: { ...fresh.room, marker: before?.room.marker, encrypted: everEncrypted } }
}

/** The room's own state, of which an invite shows a part that nobody vouches for. */
const applyOwnState = (known: KnownRoom, section: unknown, self: UserId): KnownRoom => {
  const events = stateOf(section)
  const after = applyState(known, events, self)
  return after.everEncrypted || !events.some(saysEncrypted) ? after : { ...after, everEncrypted: true }
}

/** The view after one more answer of `/sync`: the same one when no room changed, for most answers bring only messages. */
export const applySync = (view: RoomView, raw: unknown, self: UserId): RoomView => {
  let next: Map<RoomId, KnownRoom> | undefined
  const set = (roomId: RoomId, room: KnownRoom) => {
    if ((next ?? view).get(roomId) !== room) (next ??= new Map(view)).set(roomId, room)
  }
  for (const kind of ["invite", "knock"] as const) {
    for (const { raw: section, roomId } of sectionsOf(raw, kind).rooms) {
      set(roomId, applyState(entered(roomId, kind, view.get(roomId)), eventsOf(field(section, `${kind}_state`)), self))
    }
  }
  for (const { raw: section, roomId } of sectionsOf(raw, "join").rooms) {
    const before = view.get(roomId)
    const start = before?.room.membership === "join" ? before : entered(roomId, "join", before)
    set(roomId, applyAccountData(applyOwnState(start, section, self), eventsOf(field(section, "account_data"))))
  }
  for (const { raw: section, roomId } of sectionsOf(raw, "leave").rooms) {
    const before = view.get(roomId) ?? unknownRoom(roomId, "left")
    const after = applyAccountData(applyOwnState(before, section, self), eventsOf(field(section, "account_data")))
    set(roomId, withMembership(after, departureOf(section, self)))
  }
  return next ?? view
}

/** One room from the answers of `GET .../state` and of the marker's account data (undefined when there is none). */
export const readRoom = (
  roomId: RoomId,
  state: ReadonlyArray<unknown>,
  marker: unknown,
  self: UserId
): ServerRoom => {
  const own = ownMember(state, self)
  const said = textField(field(own, "content"), "membership")
  const membership = said === "join" || said === "invite" || said === "knock" ? said : departureBy(own, self)
  const known = applyState(unknownRoom(roomId, membership), state, self)
  return withMembership({ ...known, room: { ...known.room, marker } }, membership).room
}
