/** Events about events: threads, edits, references, reactions (Client-Server API, "Forming relationships"). */
import { type Json, relationOf, type StoredEvent } from "./Model.ts"

/** The events that stand in a relation to `event`, as far as none of them was redacted, in order. */
export const relatedTo = (event: StoredEvent, type?: string, eventType?: string): ReadonlyArray<StoredEvent> =>
  (event.related ?? []).filter((child) =>
    child.redactedBecause === undefined &&
    (type === undefined || relationOf(child)?.type === type) &&
    (eventType === undefined || child.type === eventType)
  )

/** The edit that counts: the newest one of the sender's own, of the same type ("Validity of replacement events"). */
const latestEdit = (event: StoredEvent): StoredEvent | undefined =>
  event.stateKey !== undefined || relationOf(event)?.type === "m.replace"
    ? undefined
    : relatedTo(event, "m.replace", event.type).findLast((edit) => edit.sender === event.sender)

/** What goes into `unsigned` under `m.relations`; undefined when there is nothing. */
export const aggregationsOf = (
  event: StoredEvent,
  reader: string,
  render: (event: StoredEvent) => Json
): Json | undefined => {
  if (event.related === undefined || event.redactedBecause !== undefined) return undefined
  const edit = latestEdit(event)
  const replies = relatedTo(event, "m.thread")
  const latest = replies.at(-1)
  const references = relatedTo(event, "m.reference")
  const aggregations = {
    ...(edit === undefined ? {} : { "m.replace": render(edit) }),
    ...(latest === undefined ? {} : {
      "m.thread": {
        latest_event: render(latest),
        count: replies.length,
        current_user_participated: [event, ...replies].some(({ sender }) => sender === reader)
      }
    }),
    ...(references.length === 0
      ? {}
      : { "m.reference": { chunk: references.map(({ eventId }) => ({ event_id: eventId })) } })
  }
  return Object.keys(aggregations).length === 0 ? undefined : aggregations
}
