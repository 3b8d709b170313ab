import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { EventId } from "./Ids.ts"
import type { RawEvent } from "./SyncBatch.ts"

const Relation = Schema.Struct({ "m.relates_to": Schema.Struct({ rel_type: Schema.String, event_id: EventId }) })
const decodeRelation = Schema.decodeUnknownOption(Relation)

/** Where an event stands. It is said in clear, also of events that are encrypted (Client-Server API, "Megolm"). */
export const relationOf = (content: RawEvent["content"]): {
  /** The event that this one edits (`m.replace`). */
  readonly replaces: EventId | undefined
  /** The root of the thread that it stands in (`m.thread`). */
  readonly threadRoot: EventId | undefined
} => {
  const relation = content["m.relates_to"] === undefined ? Option.none() : decodeRelation(content)
  if (Option.isNone(relation)) return { replaces: undefined, threadRoot: undefined }
  const { event_id: target, rel_type: type } = relation.value["m.relates_to"]
  return {
    replaces: type === "m.replace" ? target : undefined,
    threadRoot: type === "m.thread" ? target : undefined
  }
}

/** `m.relates_to` as it stands in a content; undefined where there is none. */
export const relationIn = (content: RawEvent["content"]): Readonly<Record<string, unknown>> | undefined => {
  const relation = content["m.relates_to"]
  return typeof relation === "object" && relation !== null ? { ...relation } : undefined
}
