/** Backups of room keys (Client-Server API, "Server-side key backups"). The server sees nothing but ciphertext. */
import type { Json, User } from "./Model.ts"
import { notFound, Refusal } from "./Refusal.ts"

export interface Backup {
  readonly version: string
  readonly algorithm: string
  authData: Json
  /** Counts changes. */
  etag: number
  deleted: boolean
  /** By room id, then session id. */
  readonly rooms: Map<string, Map<string, SessionBackup>>
}

export interface SessionBackup {
  readonly first_message_index: number
  readonly forwarded_count: number
  readonly is_verified: boolean
  readonly session_data: Json
}

export const newBackup = (user: User, algorithm: string, authData: Json): Backup => {
  const version = String(user.backups.length + 1)
  const backup: Backup = { version, algorithm, authData, etag: 0, deleted: false, rooms: new Map() }
  user.backups.push(backup)
  return backup
}

const latest = (user: User): Backup | undefined => user.backups.findLast((backup) => !backup.deleted)

/** A backup by version, the latest one without. */
export const backupOf = (user: User, version?: string): Backup => {
  const found = version === undefined
    ? latest(user)
    : user.backups.find((backup) => backup.version === version && !backup.deleted)
  if (found === undefined) {
    throw notFound(version === undefined ? "No current backup version" : "Unknown backup version")
  }
  return found
}

/** Keys go into the latest backup only. */
export const writableBackup = (user: User, version: string | undefined): Backup => {
  const current = backupOf(user)
  if (version === current.version) return current
  backupOf(user, version)
  throw new Refusal(403, "M_WRONG_ROOM_KEYS_VERSION", "Wrong backup version.", { current_version: current.version })
}

export const countOf = (backup: Backup): Json => {
  let count = 0
  for (const sessions of backup.rooms.values()) count += sessions.size
  return { count, etag: String(backup.etag) }
}

/** Whether `next` says more than what is there: verified first, then the earlier index, then the shorter way. */
const isBetter = (next: SessionBackup, known: SessionBackup | undefined): boolean => {
  if (known === undefined) return true
  if (next.is_verified !== known.is_verified) return next.is_verified
  if (next.first_message_index !== known.first_message_index) {
    return next.first_message_index < known.first_message_index
  }
  return next.forwarded_count < known.forwarded_count
}

export const keepSession = (backup: Backup, roomId: string, sessionId: string, session: SessionBackup): void => {
  const sessions = backup.rooms.get(roomId) ?? new Map<string, SessionBackup>()
  backup.rooms.set(roomId, sessions)
  if (!isBetter(session, sessions.get(sessionId))) return
  sessions.set(sessionId, session)
  backup.etag++
}

/** Sessions by room: of one room, or of all. */
export const sessionsOf = (backup: Backup): Json =>
  Object.fromEntries([...backup.rooms].map(([room, sessions]) => [room, { sessions: Object.fromEntries(sessions) }]))
