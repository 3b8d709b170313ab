import type { RoomId, UserId } from "../../domain/Ids.ts"
import { field, list, textField } from "./Json.ts"

/** Levels are integers; room versions before 10 also took strings of digits (Rooms, "Room version 10"). */
const level = (value: unknown): number | undefined => {
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : undefined
  return typeof value === "string" && /^\s*-?\d{1,15}\s*$/.test(value) ? Number(value) : undefined
}

/** From room version 12 on, whose room ids have no server part, creators stand above every level (MSC4289). */
const creatorsStandAbove = (roomId: RoomId, create: unknown): boolean =>
  !roomId.includes(":") || Number(textField(field(create, "content"), "room_version") ?? "1") >= 12

const isCreator = (user: UserId, create: unknown): boolean =>
  textField(create, "sender") === user || list(field(field(create, "content"), "additional_creators")).includes(user)

/** What of a room says who may do what. `create` is the whole create event, `powerLevels` a content; both may be missing or malformed. */
interface Powers {
  readonly roomId: RoomId
  readonly create: unknown
  readonly powerLevels: unknown
}

/** Whether `user` has the level that `m.room.tombstone` asks for (Client-Server API, "m.room.power_levels"). */
export const mayReplaceRoom = (user: UserId, powers: Powers): boolean =>
  holds(user, powers, levelFor(powers, "m.room.tombstone") ?? level(field(powers.powerLevels, "state_default")) ?? 50)

/** Whether `user` has the level for a message. Without power levels everybody has. */
export const maySpeakIn = (user: UserId, powers: Powers, encrypted: boolean): boolean =>
  holds(
    user,
    powers,
    levelFor(powers, encrypted ? "m.room.encrypted" : "m.room.message") ??
      level(field(powers.powerLevels, "events_default")) ?? 0
  )

const levelFor = ({ powerLevels }: Powers, type: string): number | undefined =>
  level(field(field(powerLevels, "events"), type))

const holds = (user: UserId, { create, powerLevels, roomId }: Powers, needed: number): boolean => {
  if (creatorsStandAbove(roomId, create) && isCreator(user, create)) return true
  // Without power levels the creator has 100; the create event names it in `creator` up to room version 10.
  const creator = textField(field(create, "content"), "creator") ?? textField(create, "sender")
  const held = powerLevels === undefined
    ? (creator === user ? 100 : 0)
    : level(field(field(powerLevels, "users"), user)) ?? level(field(powerLevels, "users_default")) ?? 0
  return held >= needed
}
