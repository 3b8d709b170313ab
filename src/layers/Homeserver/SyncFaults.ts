/** What a server on a bad day makes of an answer of `/sync`. Anything else is left as it is. */
import type { HomeserverAnswer } from "./Router.ts"

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The joined rooms of an answer, changed. */
const withJoined = (
  answer: HomeserverAnswer,
  change: (rooms: ReadonlyArray<readonly [string, unknown]>) => ReadonlyArray<readonly [string, unknown]>
): HomeserverAnswer => {
  const rooms = isRecord(answer.body) ? answer.body["rooms"] : undefined
  const join = isRecord(rooms) ? rooms["join"] : undefined
  if (!isRecord(answer.body) || !isRecord(rooms) || !isRecord(join)) return answer
  const changed = Object.fromEntries(change(Object.entries(join)))
  return { ...answer, body: { ...answer.body, rooms: { ...rooms, join: changed } } }
}

/** Every event of every timeline comes twice. */
export const twiceTold = (answer: HomeserverAnswer): HomeserverAnswer =>
  withJoined(answer, (rooms) =>
    rooms.map(([id, room]) => {
      if (!isRecord(room) || !isRecord(room["timeline"]) || !Array.isArray(room["timeline"]["events"])) {
        return [id, room]
      }
      const events = room["timeline"]["events"].flatMap((event: unknown) => [event, event])
      return [id, { ...room, timeline: { ...room["timeline"], events } }]
    }))

/** The rooms come in the opposite order. */
export const upsideDown = (answer: HomeserverAnswer): HomeserverAnswer =>
  withJoined(answer, (rooms) => rooms.toReversed())
