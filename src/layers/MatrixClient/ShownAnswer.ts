import { entries, eventsOf, field, record, textField } from "./Json.ts"

/** What each answer to `/sync` was, by what the SDK was shown of it. */
const wholes = new WeakMap<object, unknown>()

/** People who verify each other in a room do so with messages of their own (Client-Server API, "Key verification framework"). */
const isForTheSdk = (event: unknown) =>
  field(event, "state_key") !== undefined || textField(event, "type")?.startsWith("m.key.verification.") === true ||
  field(field(event, "content"), "msgtype") === "m.key.verification.request"

const withoutTalk = (room: unknown): unknown => ({
  ...record(room),
  timeline: { ...record(field(room, "timeline")), events: eventsOf(field(room, "timeline")).filter(isForTheSdk) },
  ephemeral: { events: [] }
})

/**
 * Shows the SDK an answer without messages and receipts. It would keep them in rooms of its own, which nobody here reads, and
 * that costs more than to send an answer. From the state it knows who shares an encrypted room.
 */
export const showTheState = (response: Response, whole: unknown): Response => {
  const rooms = record(field(whole, "rooms"))
  const joined = entries(field(rooms, "join")).map(([roomId, room]) => [roomId, withoutTalk(room)])
  const shown = { ...record(whole), rooms: { ...rooms, join: Object.fromEntries(joined) } }
  wholes.set(shown, whole)
  return Object.assign(response, { json: (): Promise<unknown> => Promise.resolve(shown) })
}

/** The answer as the server gave it; undefined when the SDK comes with one that it was not shown. */
export const wholeOf = (shown: object): unknown => wholes.get(shown)
