/** Finding rooms: what outsiders may learn of one, the public directory, and what hangs below a Space. */
import type { Json, Room, StoredEvent, User, World } from "./Model.ts"
import { joinRuleOf, mayJoin, membershipOf, stateContent } from "./Rooms.ts"
import { strippedEvent } from "./Timeline.ts"

const given = (key: string, value: unknown): Json => (value === undefined ? {} : { [key]: value })

/** A `PublicRoomsChunk`. */
export const summaryOf = (room: Room): Json => ({
  room_id: room.roomId,
  num_joined_members: room.joined.size,
  join_rule: joinRuleOf(room),
  guest_can_join: stateContent(room, "m.room.guest_access")["guest_access"] === "can_join",
  world_readable: stateContent(room, "m.room.history_visibility")["history_visibility"] === "world_readable",
  ...given("name", stateContent(room, "m.room.name")["name"]),
  ...given("topic", stateContent(room, "m.room.topic")["topic"]),
  ...given("canonical_alias", stateContent(room, "m.room.canonical_alias")["alias"]),
  ...given("avatar_url", stateContent(room, "m.room.avatar")["url"]),
  ...given("room_type", stateContent(room, "m.room.create")["type"])
})

/** The rooms of the directory whose name, topic or alias holds the words, the largest first. */
export const publicRooms = (world: World, words: string): ReadonlyArray<Json> =>
  [...world.rooms.values()]
    .filter((room) => room.listed)
    .sort((one, other) => other.joined.size - one.joined.size)
    .map(summaryOf)
    .filter((room) =>
      [room["name"], room["topic"], room["canonical_alias"]].some((text) =>
        typeof text === "string" && text.toLowerCase().includes(words.toLowerCase())
      ) || words === ""
    )

/** Whether the hierarchy may show a room to somebody who need not be in it ("GET /hierarchy"). */
const isShownTo = (world: World, room: Room, user: User): boolean => {
  const membership = membershipOf(room, user.userId)
  return membership === "join" || membership === "invite" || joinRuleOf(room).startsWith("knock") ||
    mayJoin(world, room, user.userId)
}

/** The child events of a Space that count: those that name a server. Ordered by `order`, then by age. */
const childrenOf = (room: Room): ReadonlyArray<StoredEvent> => {
  const order = ({ content }: StoredEvent) => typeof content["order"] === "string" ? content["order"] : "\uffff"
  return [...room.state.values()]
    .filter(({ content, type }) => type === "m.space.child" && Array.isArray(content["via"]))
    .sort((one, other) => order(one).localeCompare(order(other)) || one.sentAt - other.sentAt)
}

export interface HierarchyWish {
  readonly suggestedOnly: boolean
  readonly maxDepth: number
}

/** A room and everything below it, depth first, each room once. */
export const hierarchyOf = (world: World, root: Room, user: User, wish: HierarchyWish): ReadonlyArray<Json> => {
  const found: Array<Json> = []
  const seen = new Set<string>()
  const visit = (room: Room | undefined, depth: number): void => {
    if (room === undefined || seen.has(room.roomId) || !isShownTo(world, room, user)) return
    seen.add(room.roomId)
    const isSpace = stateContent(room, "m.room.create")["type"] === "m.space"
    const children = isSpace
      ? childrenOf(room).filter(({ content }) => !wish.suggestedOnly || content["suggested"] === true)
      : []
    found.push({
      ...summaryOf(room),
      children_state: children.map((event) => ({ ...strippedEvent(event), origin_server_ts: event.sentAt }))
    })
    if (depth >= wish.maxDepth) return
    for (const child of children) visit(world.rooms.get(child.stateKey ?? ""), depth + 1)
  }
  visit(root, 0)
  return found
}

/** Users that somebody may find: those that share a room with them. The words stand in the id or the name. */
export const findUsers = (world: World, asker: User, words: string): ReadonlyArray<Json> => {
  const term = words.toLowerCase()
  const known = new Set<string>()
  for (const roomId of asker.rooms.keys()) {
    const room = world.rooms.get(roomId)
    if (room?.joined.has(asker.userId) === true) { for (const userId of room.joined) known.add(userId) }
  }
  return [...known].flatMap((userId) => {
    const { avatarUrl, displayName } = world.users.get(userId) ?? {}
    const isMatch = userId.toLowerCase().includes(term) || displayName?.toLowerCase().includes(term) === true
    return userId !== asker.userId && isMatch
      ? [{ user_id: userId, ...given("display_name", displayName), ...given("avatar_url", avatarUrl) }]
      : []
  })
}
