/** Reading what relates to an event, and the threads of a room. */
import { type Json, positionOfToken, type Room, type StoredEvent, timelineToken } from "../Model.ts"
import { relatedTo } from "../Relations.ts"
import { type Call, route } from "../Router.ts"
import { clientEvent } from "../Timeline.ts"
import { limitOf, visible, visibleEvent } from "./Events.ts"

/** One page of a list, newest first unless `dir` is `f`; `from` and `to` are positions of events, both left out. */
const pageOf = (call: Call, events: ReadonlyArray<StoredEvent>, position: (event: StoredEvent) => number): Json => {
  const { dir, from, to } = call.request.query
  const forwards = dir === "f"
  const start = from === undefined ? undefined : positionOfToken(call.world, from)
  const end = to === undefined ? undefined : positionOfToken(call.world, to)
  const inside = events.filter((event) =>
    forwards
      ? position(event) > (start ?? 0) && position(event) <= (end ?? Infinity)
      : position(event) <= (start ?? Infinity) && position(event) > (end ?? 0)
  )
  const ordered = forwards ? inside : inside.toReversed()
  const chunk = ordered.slice(0, limitOf(call, 5))
  const last = chunk.at(-1)
  return {
    chunk: chunk.map((event) => clientEvent(event, call.device, call.now)),
    ...(last === undefined || chunk.length === ordered.length
      ? {}
      : { next_batch: timelineToken(forwards ? position(last) : position(last) - 1) })
  }
}

const relations = (call: Call): Json => {
  const { horizon } = visible(call)
  const related = relatedTo(visibleEvent(call), call.params["relType"], call.params["type"])
  return pageOf(call, related.filter(({ position }) => position <= horizon), ({ position }) => position)
}

/** The roots of a room's threads, in the order of their latest replies. */
const threads = (call: Call): Json => {
  const { horizon, room } = visible(call)
  const latest = (root: StoredEvent) => relatedTo(root, "m.thread").at(-1)?.position ?? 0
  const takesPart = (root: StoredEvent) =>
    [root, ...relatedTo(root, "m.thread")].some(({ sender }) => sender === call.user.userId)
  const roots = rootsOf(room)
    .filter((root) => root.position <= horizon)
    .filter((root) => call.request.query["include"] !== "participated" || takesPart(root))
    .sort((one, other) => latest(one) - latest(other))
  return pageOf(call, roots, latest)
}

const rootsOf = (room: Room): Array<StoredEvent> =>
  room.events.filter((event) => event.related !== undefined && relatedTo(event, "m.thread").length > 0)

const path = "/_matrix/client/v1/rooms/{roomId}/relations/{eventId}"

export const relationRoutes = [
  route("GET", path, relations),
  route("GET", `${path}/{relType}`, relations),
  route("GET", `${path}/{relType}/{type}`, relations),
  route("GET", "/_matrix/client/v1/rooms/{roomId}/threads", threads)
]
