import type { RoomId, ServerName } from "../../domain/Ids.ts"

/** A link that every client opens (Appendices, "matrix.to navigation"). `via`: a server of the room, for who is not in it yet. */
export const linkTo = (room: RoomId, via?: ServerName): string =>
  `https://matrix.to/#/${encodeURIComponent(room)}${via === undefined ? "" : `?via=${encodeURIComponent(via)}`}`
