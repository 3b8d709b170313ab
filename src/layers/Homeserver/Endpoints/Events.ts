/** Messages: sending and redacting them, reading them back, and what is shown beside them. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { setReceipt, setTyping } from "../Ephemeral.ts"
import { announce, type Json, positionOfToken, type Room, type StoredEvent, timelineToken } from "../Model.ts"
import { badParam, forbidden, notFound } from "../Refusal.ts"
import { horizonOf, redact, requireJoined, roomOf, send, stateAt, stateEvent } from "../Rooms.ts"
import { at, type Call, route, routeBody } from "../Router.ts"
import { accepts, clientEvent, EventFilter, newest, oldest, pageSize } from "../Timeline.ts"

const Content = Schema.Record(Schema.String, Schema.Unknown)

/** Does a thing once: the same device with the same transaction id at the same endpoint is told what came of it. */
const once = (call: Call, run: () => StoredEvent): Json => {
  const known = call.device.transactions.get(call.request.path)
  if (known !== undefined) return { event_id: known }
  const { eventId } = run()
  call.device.transactions.set(call.request.path, eventId)
  return { event_id: eventId }
}

const draftOf = (call: Call, type: string, content: Json) => ({
  type,
  content,
  sender: call.user.userId,
  sentBy: { device: call.device, transaction: at(call).transaction }
})

/** A room that the caller may look into, and how far. */
export const visible = (call: Call): { readonly room: Room; readonly horizon: number } => {
  const room = roomOf(call.world, at(call).room)
  return { room, horizon: horizonOf(call.world, room, call.user.userId) }
}

export const visibleEvent = (call: Call): StoredEvent => {
  const { horizon, room } = visible(call)
  const event = call.world.events.get(at(call).event)
  if (event === undefined || event.roomId !== room.roomId || event.position > horizon) {
    throw notFound("Event not found.")
  }
  return event
}

const decodeFilter = Schema.decodeUnknownResult(Schema.fromJsonString(EventFilter))

const filterOf = (text: string | undefined): EventFilter => {
  const filter = decodeFilter(text ?? "{}")
  if (Result.isFailure(filter)) throw badParam("M_BAD_JSON", filter.failure.message)
  return filter.success
}

export const limitOf = (call: Call, otherwise = 10): number => {
  const limit = Number(call.request.query["limit"] ?? otherwise)
  if (!Number.isInteger(limit) || limit < 0) throw badParam("M_INVALID_PARAM", "limit must be a whole number")
  return pageSize(limit)
}

/** Pages through a room. `end` is left out where the room has no more, not where `to` is, as on Synapse. */
const messages = (call: Call): Json => {
  const { device, now, request: { query }, world } = call
  const { horizon, room } = visible(call)
  const backwards = query["dir"] === "b"
  if (!backwards && query["dir"] !== "f") throw badParam("M_MISSING_PARAM", "dir must be b or f")
  const from = query["from"] === undefined ? (backwards ? horizon : 0) : positionOfToken(world, query["from"])
  const to = query["to"] === undefined ? (backwards ? 0 : horizon) : positionOfToken(world, query["to"])
  const filter = filterOf(query["filter"])
  const limit = limitOf(call)
  const page = backwards
    ? newest(room, { after: to, upTo: Math.min(from, horizon) }, filter, limit)
    : oldest(room, { after: from, upTo: Math.min(to, horizon) }, filter, limit)
  const ordered = backwards ? page.events.toReversed() : page.events
  const last = ordered.at(-1)
  const hasMore = last !== undefined && (backwards ? last !== room.events[0] : last.position < horizon)
  return {
    start: query["from"] ?? timelineToken(from),
    ...(hasMore ? { end: timelineToken(backwards ? last.position - 1 : last.position) } : {}),
    chunk: ordered.map((event) => clientEvent(event, device, now)),
    ...(filter.lazy_load_members === true
      ? { state: membersOf(room, ordered).map((event) => clientEvent(event, device, now)) }
      : {})
  }
}

/** The present member events of those who sent these events. */
const membersOf = (room: Room, events: ReadonlyArray<StoredEvent>): ReadonlyArray<StoredEvent> =>
  [...new Set(events.map(({ sender }) => sender))].flatMap((sender) => stateEvent(room, "m.room.member", sender) ?? [])

const context = (call: Call): Json => {
  const { device, now } = call
  const { horizon, room } = visible(call)
  const event = visibleEvent(call)
  const filter = filterOf(call.request.query["filter"])
  const half = Math.floor(limitOf(call) / 2)
  const before = newest(room, { after: 0, upTo: event.position - 1 }, filter, half).events
  const after = oldest(room, { after: event.position, upTo: horizon }, filter, half).events
  const state = stateAt(room, (after.at(-1) ?? event).position).filter(accepts(filter))
  const senders = new Set([...before, event, ...after].map(({ sender }) => sender))
  const isWanted = ({ stateKey = "", type }: StoredEvent) =>
    filter.lazy_load_members !== true || type !== "m.room.member" || senders.has(stateKey)
  const render = (shown: StoredEvent) => clientEvent(shown, device, now)
  return {
    event: render(event),
    events_before: before.toReversed().map(render),
    events_after: after.map(render),
    start: timelineToken((before[0] ?? event).position - 1),
    end: timelineToken((after.at(-1) ?? event).position),
    state: state.filter(isWanted).map(render)
  }
}

const Typing = Schema.Struct({ typing: Schema.Boolean, timeout: Schema.optional(Schema.Number) })

const typing = (call: Call, body: typeof Typing.Type): Json => {
  const { now, user, world } = call
  if (at(call).user !== user.userId) throw forbidden("Cannot set another user's typing state")
  const room = roomOf(world, at(call).room)
  requireJoined(room, user.userId)
  setTyping(world, room, user, body.typing ? body.timeout ?? 30_000 : 0, now)
  return {}
}

const receipt = (call: Call, room: Room, type: string, eventId: string, threadId?: string): void => {
  requireJoined(room, call.user.userId)
  if (type !== "m.fully_read") setReceipt(call.world, room, call.user, { type, eventId, threadId }, call.now)
  else if (threadId === undefined) setRoomAccountData(call, room, type, { event_id: eventId })
  else throw badParam("M_INVALID_PARAM", "m.fully_read is of no thread")
}

const setRoomAccountData = (call: Call, room: Room, type: string, value: Json): void => {
  const { user, world } = call
  const ofUser = room.accountData.get(user.userId) ?? new Map()
  ofUser.set(type, { position: ++world.position, value: structuredClone(value) })
  room.accountData.set(user.userId, ofUser)
  announce(world, room, user.userId)
}

const ReadMarkers = Schema.Struct({
  "m.fully_read": Schema.optional(Schema.String),
  "m.read": Schema.optional(Schema.String),
  "m.read.private": Schema.optional(Schema.String)
})

const setReadMarkers = (call: Call, body: typeof ReadMarkers.Type): Json => {
  const room = roomOf(call.world, at(call).room)
  requireJoined(room, call.user.userId)
  for (const type of ["m.fully_read", "m.read", "m.read.private"] as const) {
    const eventId = body[type]
    if (eventId !== undefined) receipt(call, room, type, eventId)
  }
  return {}
}

/** Tags are room account data of type `m.tag` by another way. */
const tagsOf = (call: Call): { readonly tags: Json } => {
  const stored = call.world.rooms.get(at(call).room)?.accountData.get(ownData(call).user.userId)?.get("m.tag")?.value
  const tags = stored?.["tags"]
  return { tags: typeof tags === "object" && tags !== null ? Object.fromEntries(Object.entries(tags)) : {} }
}

const changeTags = (call: Call, change: Json): Json => {
  const { [at(call).name]: _, ...others } = tagsOf(call).tags
  setRoomAccountData(call, roomOf(call.world, at(call).room), "m.tag", { tags: { ...others, ...change } })
  return {}
}

const rooms = "/_matrix/client/v3/rooms/{roomId}"
const tags = "/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags"

export const eventRoutes = [
  routeBody(
    "PUT",
    `${rooms}/send/{type}/{txnId}`,
    Content,
    (call, content) =>
      once(
        call,
        () => send(call.world, roomOf(call.world, at(call).room), draftOf(call, at(call).type, content), call.now)
      )
  ),
  routeBody("PUT", `${rooms}/redact/{eventId}/{txnId}`, Content, (call, content) =>
    once(call, () => {
      const draft = draftOf(call, "m.room.redaction", content)
      return redact(call.world, roomOf(call.world, at(call).room), draft, at(call).event, call.now)
    })),
  route("GET", `${rooms}/event/{eventId}`, (call) => clientEvent(visibleEvent(call), call.device, call.now)),
  route("GET", `${rooms}/context/{eventId}`, context),
  route("GET", `${rooms}/messages`, messages),
  routeBody("PUT", `${rooms}/typing/{userId}`, Typing, typing),
  routeBody(
    "POST",
    `${rooms}/receipt/{type}/{eventId}`,
    Schema.Struct({ thread_id: Schema.optional(Schema.String) }),
    (call, body) => {
      receipt(call, roomOf(call.world, at(call).room), at(call).type, at(call).event, body.thread_id)
      return {}
    }
  ),
  routeBody("POST", `${rooms}/read_markers`, ReadMarkers, setReadMarkers),
  routeBody("PUT", "/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}", Content, (call, content) => {
    setRoomAccountData(ownData(call), roomOf(call.world, at(call).room), at(call).type, content)
    return {}
  }),
  route("GET", `${tags}`, (call) => tagsOf(call)),
  routeBody("PUT", `${tags}/{name}`, Content, (call, tag) => changeTags(call, { [at(call).name]: tag })),
  route("DELETE", `${tags}/{name}`, (call) => changeTags(call, {})),
  route("GET", "/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}", (call) => {
    const stored = call.world.rooms.get(at(call).room)?.accountData.get(ownData(call).user.userId)?.get(at(call).type)
    if (stored === undefined) throw notFound("Room account data not found")
    return stored.value
  })
]

/** Account data is private: everybody has only the own. */
export const ownData = (call: Call): Call => {
  if (at(call).user !== call.user.userId) throw forbidden("Cannot use the account data of somebody else")
  return call
}
