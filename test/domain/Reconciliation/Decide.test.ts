import { assert, describe, it } from "@effect/vitest"
import { type Chat, foreignMarker } from "../../../src/domain/Chat.ts"
import { markerOf } from "../../../src/domain/Marker.ts"
import { carryOut, decide, type Outcome } from "../../../src/domain/Reconciliation.ts"
import type { OwnMembership, ServerRoom } from "../../../src/domain/ServerRoom.ts"
import { ann, bob, bot, chat, chatId, marker, named, otherBot, room, roomId, tombstone, type World } from "./World.ts"

const decideOn = (world: Partial<World>) => decide({ account: bot, rooms: [], chats: [], now: 5000, ...world })

/** Each outcome on one line: tag, rooms, chat, reason. */
const told = (world: Partial<World>) => decideOn(world).map(inShort)
const local = (id: string) => id.replace(/^!(.*):.*/, "$1")
const inShort = (outcome: Outcome): string => {
  const where = outcome._tag === "Moved"
    ? `${local(outcome.fromRoomId)}->${local(outcome.roomId)}`
    : local(outcome.roomId ?? "-")
  const who = outcome._tag === "Skipped" ? "" : ` ${outcome.chatId ?? "-"}`
  const claimed = outcome._tag === "Conflict" ? `/${outcome.claimed}` : ""
  return `${outcome._tag} ${where}${who}${claimed} ${outcome.reason}`
}
const chatsAfter = (world: Partial<World>) => carryOut(world.chats ?? [], decideOn(world))

describe("decide: a room that shows a chat", () => {
  const bound = chat("c1", "a", { revision: 2, markerRevision: 2 })
  const withMarker = (content: unknown): World => ({
    account: bot,
    now: 5000,
    chats: [bound],
    deleted: new Set(),
    rooms: [room("a", { marker: content })]
  })

  it("is unchanged when binding and marker agree", () => {
    assert.deepStrictEqual(told(withMarker(marker("a", "c1", { revision: 2 }))), ["Unchanged a c1 agrees"])
  })

  it("takes title, name, archive flag and settings of a newer marker", () => {
    const settings = { backlog: "skip" }
    const words = { revision: 3, title: "New", owner_name: "Annie", archived: true, settings }
    const world = withMarker(marker("a", "c1", words))
    assert.deepStrictEqual(told(world), ["Updated a c1 marker_newer"])
    assert.deepStrictEqual(chatsAfter(world), [
      chat("c1", "a", {
        revision: 3,
        markerRevision: 3,
        title: "New",
        ownerName: "Annie",
        archived: true,
        settings: { backlog: "skip", kept: {} }
      })
    ])
  })

  it("gives up its settings for those of a newer marker, also when that has none", () => {
    const chats = [chat("c1", "a", { settings: { mention: "never", kept: {} } })]
    const world = { ...withMarker(marker("a", "c1", { revision: 3 })), chats }
    assert.deepStrictEqual(chatsAfter(world).map((_) => _.settings), [{ kept: {} }])
  })

  it("keeps its settings against a marker that is not newer", () => {
    const chats = [chat("c1", "a", { settings: { mention: "never", kept: {} } })]
    const world = { ...withMarker(marker("a", "c1", { settings: { mention: "always" } })), chats }
    assert.deepStrictEqual(chatsAfter(world), chats)
  })

  it("keeps its own words against an older marker, which is to be written again", () => {
    const world = withMarker(marker("a", "c1", { revision: 1 }))
    assert.deepStrictEqual(told(world), ["Unchanged a c1 marker_behind"])
    assert.deepStrictEqual(chatsAfter(world).map((_) => _.markerRevision), [1])
  })

  it.each([
    ["no marker", undefined],
    ["an emptied marker", {}],
    ["a malformed marker", { version: 1, chat_id: 7 }],
    ["the marker of another room", marker("b", "c2", { revision: 2 })]
  ])("stands when there is %s, and the marker is written again", (_, content) => {
    assert.deepStrictEqual(told(withMarker(content)), ["Unchanged a c1 marker_missing"])
    assert.deepStrictEqual(chatsAfter(withMarker(content)).map((_) => _.markerRevision), [0])
  })

  it.each([
    ["another account", marker("a", "c2", { account: otherBot })],
    ["a newer version", { ...marker("a", "c2"), version: 2 }]
  ])("stands against a marker of %s, which is never overwritten", (_, content) => {
    assert.deepStrictEqual(told(withMarker(content)), ["Unchanged a c1 marker_not_ours"])
    const [after] = chatsAfter(withMarker(content))
    assert.strictEqual(after?.markerRevision, foreignMarker)
    assert.strictEqual(after && markerOf(bot, after), undefined)
  })

  it("may write its marker again when the foreign one is gone", () => {
    const foreign = chat("c1", "a", { markerRevision: foreignMarker })
    assert.deepStrictEqual(chatsAfter({ chats: [foreign], rooms: [room("a")] }).map((_) => _.markerRevision), [0])
    const ours = room("a", { marker: marker("a", "c1") })
    assert.deepStrictEqual(chatsAfter({ chats: [foreign], rooms: [ours] }).map((_) => _.markerRevision), [1])
  })

  it("learns the owner's new name, as a new revision", () => {
    const renamed = room("a", { marker: marker("a", "c1", { revision: 2 }), members: named(ann, " Annie\u202e ") })
    assert.deepStrictEqual(told({ chats: [bound], rooms: [renamed] }), ["Updated a c1 owner_name_changed"])
    assert.deepStrictEqual(chatsAfter({ chats: [bound], rooms: [renamed] }), [
      chat("c1", "a", { revision: 3, markerRevision: 2, ownerName: "Annie" })
    ])
  })

  it("learns no name from an invite, a stranger, or a name of nothing", () => {
    for (const members of [named(ann, "Annie", "invite"), named(bob, "Annie"), named(ann, "\u0007 ")]) {
      const same = room("a", { marker: marker("a", "c1", { revision: 2 }), members })
      assert.deepStrictEqual(told({ chats: [bound], rooms: [same] }), ["Unchanged a c1 agrees"])
    }
  })

  describe("whose name", () => {
    const seen = (name: string | undefined, options: Partial<ConstructorParameters<typeof Chat>[0]>) => {
      const world = {
        chats: [chat("c1", "a", { title: "Tea", roomName: "Tea", ...options })],
        rooms: [room("a", { name, marker: marker("a", "c1") })]
      }
      return [
        ...told(world),
        ...chatsAfter(world).map(({ revision, roomName, title }) => `${title} in ${roomName}, ${revision}`)
      ]
    }

    it("changed gives the chat this title, as a new revision", () => {
      assert.deepStrictEqual(seen(" Coffee\u202e ", {}), ["Updated a c1 room_renamed", "Coffee in Coffee, 2"])
      assert.deepStrictEqual(seen("Coffee", { roomName: "" }), ["Updated a c1 room_renamed", "Coffee in Coffee, 2"])
    })

    it("stays leaves the title alone that somebody gave", () => {
      assert.deepStrictEqual(seen("Tea", { title: "Mine" }), ["Unchanged a c1 agrees", "Mine in Tea, 1"])
    })

    it("is seen for the first time, or is the title already, is only noted", () => {
      assert.deepStrictEqual(seen("Coffee", { roomName: null }), ["Unchanged a c1 agrees", "Tea in Coffee, 1"])
      assert.deepStrictEqual(seen("Tea", { roomName: "Old" }), ["Unchanged a c1 agrees", "Tea in Tea, 1"])
    })

    it("is taken away takes nothing from the chat", () => {
      assert.deepStrictEqual(seen(undefined, {}), ["Unchanged a c1 agrees", "Tea in Tea, 1"])
    })

    it("changed while the database was lost is told by the marker", () => {
      const renamed = (room_name: string | undefined) =>
        chatsAfter({
          rooms: [room("a", {
            name: "Coffee",
            marker: marker("a", "c1", { title: "Tea", ...(room_name === undefined ? {} : { room_name }) })
          })]
        }).map(({ roomName, title }) => [title, roomName])
      assert.deepStrictEqual(renamed("Tea"), [["Coffee", "Coffee"]])
      assert.deepStrictEqual(renamed("Coffee"), [["Tea", "Coffee"]])
      assert.deepStrictEqual(renamed(undefined), [["Tea", "Coffee"]])
    })
  })

  it("keeps its chat when the marker claims another", () => {
    assert.deepStrictEqual(told(withMarker(marker("a", "c2"))), ["Conflict a c1/c2 one_room_two_chats"])
  })

  it("keeps its chat when the marker names another owner", () => {
    const world = withMarker(marker("a", "c1", { owner: bob, revision: 9 }))
    assert.deepStrictEqual(told(world), ["Conflict a c1/c1 owner_disagrees"])
    assert.deepStrictEqual(chatsAfter(world), [bound])
  })

  it.each<[OwnMembership, string]>([
    ["left", "left"],
    ["kicked", "kicked"],
    ["banned", "banned"],
    ["invite", "left"],
    ["knock", "left"]
  ])("loses it when the bot's membership is %s", (membership, reason) => {
    const world = { chats: [bound], rooms: [room("a", { membership, marker: marker("a", "c1") })] }
    assert.deepStrictEqual(told(world), [`Detached a c1 ${reason}`])
    assert.deepStrictEqual(chatsAfter(world).map((_) => [_.binding, `${_.detached}`]), [[null, reason]])
  })

  it("loses it when the server has no such room", () => {
    assert.deepStrictEqual(told({ chats: [bound] }), ["Detached a c1 room_gone"])
  })
})

const claiming = (name: string, bound_at: number) => room(name, { marker: marker(name, "c1", { bound_at }) })

describe("decide: a room that shows nothing", () => {
  it.each<[string, Partial<ServerRoom>]>([
    ["no_marker", {}],
    ["no_marker", { marker: {} }],
    ["space", { isSpace: true, marker: marker("a", "c1") }],
    ["pending_invite", { membership: "invite", marker: marker("a", "c1") }],
    ["not_joined", { membership: "knock" }],
    ["not_joined", { membership: "left", marker: marker("a", "c1") }],
    ["not_joined", { membership: "kicked" }],
    ["not_joined", { membership: "banned" }],
    ["marker_of_another_account", { marker: marker("a", "c1", { account: otherBot }) }],
    ["marker_of_another_room", { marker: marker("b", "c1") }],
    ["newer_marker_version", { marker: { version: 2, anything: [] } }],
    ["malformed_marker", { marker: { ...marker("a", "c1"), revision: 0 } }],
    ["malformed_marker", { marker: "c1" }]
  ])("is skipped as %s: %j", (reason, options) => {
    assert.deepStrictEqual(told({ rooms: [room("a", options)] }), [`Skipped a ${reason}`])
  })

  it("gets its chat back from the marker when the database is lost", () => {
    const content = marker("a", "c1", { title: "Plans", revision: 4, archived: true, created_at: 10, bound_at: 20 })
    const world = { rooms: [room("a", { marker: content, members: named(ann, "Ann") })] }
    assert.deepStrictEqual(told(world), ["Restored a c1 no_local_chat"])
    assert.deepStrictEqual(chatsAfter(world), [
      chat("c1", null, {
        title: "Plans",
        archived: true,
        revision: 4,
        markerRevision: 4,
        createdAt: 10,
        binding: { roomId: roomId("a"), boundAt: 20 },
        detached: null
      })
    ])
  })

  it("gets a detached chat back, with the newer words", () => {
    const older = chat("c1", null, { revision: 2, title: "Old" })
    const newer = chat("c1", null, { revision: 4, title: "Local" })
    const rooms = [room("a", { marker: marker("a", "c1", { revision: 3, title: "Marker" }) })]
    assert.deepStrictEqual(told({ chats: [older], rooms }), ["Restored a c1 was_detached"])
    assert.deepStrictEqual(chatsAfter({ chats: [older], rooms }).map((_) => [_.title, _.revision]), [["Marker", 3]])
    assert.deepStrictEqual(
      chatsAfter({ chats: [newer], rooms }).map((_) => [_.title, _.revision, _.markerRevision, _.detached]),
      [["Local", 4, 3, null]]
    )
  })

  it("does not get a chat back that was taken from it to another room, and has lost that since", () => {
    const stale = room("a", { marker: marker("a", "c1", { revision: 1 }) })
    const taken = chat("c1", null, { revision: 2, formerRoom: roomId("b") })
    assert.deepStrictEqual(told({ chats: [taken], rooms: [stale] }), [
      "Skipped a shown_elsewhere",
      "Unchanged - c1 still_detached"
    ])
    assert.deepStrictEqual(told({ chats: [chat("c1", "b", { revision: 2 })], rooms: [stale] }), [
      "Skipped a shown_elsewhere",
      "Detached b c1 room_gone"
    ])
  })

  it("gets the chat back that it showed last when its marker is gone, the younger of two", () => {
    const former = { formerRoom: roomId("a"), createdAt: 1 }
    const chats = [chat("c1", null, former), chat("c2", null, { ...former, createdAt: 2 })]
    const world = { chats, rooms: [room("a", { marker: {} })] }
    assert.deepStrictEqual(told(world), ["Restored a c2 was_detached", "Unchanged - c1 still_detached"])
    assert.deepStrictEqual(
      chatsAfter(world)[1],
      chat("c2", "a", {
        createdAt: 2,
        binding: { roomId: roomId("a"), boundAt: 5000 },
        markerRevision: 0
      })
    )
  })

  it.each<[string, ReadonlyArray<Chat>, Partial<ServerRoom>]>([
    ["shows another chat", [chat("c2", "a")], {}],
    ["claims another chat", [], { marker: marker("a", "c2") }],
    ["has a marker that is not ours", [], { marker: { version: 2 } }],
    ["is a Space", [], { isSpace: true }],
    ["is only one that the bot is invited to", [], { membership: "invite" }]
  ])("does not get the chat back that it showed last when it %s", (_, others, options) => {
    const last = chat("c1", null, { formerRoom: roomId("a") })
    assert.include(told({ chats: [last, ...others], rooms: [room("a", options)] }), "Unchanged - c1 still_detached")
  })

  it("gets a chat whose own room is gone or was left", () => {
    const rooms = [room("b", { marker: marker("b", "c1") })]
    assert.deepStrictEqual(told({ chats: [chat("c1", "a")], rooms }), ["Restored b c1 bound_room_gone"])
    assert.deepStrictEqual(told({ chats: [chat("c1", "a")], rooms: [...rooms, room("a", { membership: "left" })] }), [
      "Skipped a not_joined",
      "Restored b c1 bound_room_gone"
    ])
  })

  it("does not get a chat of another owner", () => {
    const rooms = [room("b", { marker: marker("b", "c1", { owner: bob }) })]
    assert.deepStrictEqual(told({ chats: [chat("c1", "a")], rooms }), [
      "Detached a c1 room_gone",
      "Conflict b -/c1 owner_disagrees"
    ])
  })

  it("does not get a chat that another room shows", () => {
    const rooms = [
      room("a", { marker: marker("a", "c1", { bound_at: 300 }) }),
      room("b", { marker: marker("b", "c1", { bound_at: 100 }) })
    ]
    assert.deepStrictEqual(told({ chats: [chat("c1", "a")], rooms }), [
      "Unchanged a c1 agrees",
      "Conflict b -/c1 two_rooms_one_chat"
    ])
  })

  it("is passed over when its chat was taken to another room since, with and without a database", () => {
    const rooms = [
      room("a", { marker: marker("a", "c1", { revision: 2, bound_at: 100 }) }),
      room("b", { marker: marker("b", "c1", { revision: 3, bound_at: 300 }) })
    ]
    assert.deepStrictEqual(told({ chats: [chat("c1", "b", { revision: 3 })], rooms }), [
      "Skipped a shown_elsewhere",
      "Unchanged b c1 agrees"
    ])
    assert.deepStrictEqual(told({ rooms }), ["Skipped a shown_elsewhere", "Restored b c1 no_local_chat"])
  })

  it("gets a chat that several claim in the same revision by the oldest binding, then by room id", () => {
    assert.deepStrictEqual(told({ rooms: [claiming("a", 3), claiming("b", 1), claiming("c", 2)] }), [
      "Conflict a -/c1 two_rooms_one_chat",
      "Restored b c1 no_local_chat",
      "Conflict c -/c1 two_rooms_one_chat"
    ])
    assert.deepStrictEqual(told({ rooms: [claiming("b", 1), claiming("a", 1)] }), [
      "Restored a c1 no_local_chat",
      "Conflict b -/c1 two_rooms_one_chat"
    ])
  })
})

const old = (options: Partial<ServerRoom> = {}) =>
  room("a", { marker: marker("a", "c1"), tombstone: tombstone("b"), ...options })
const next = (options: Partial<ServerRoom> = {}) => room("b", { predecessor: roomId("a"), ...options })

describe("decide: a room that was upgraded", () => {
  const bound = chat("c1", "a")

  it("hands its chat to the successor", () => {
    const world = { chats: [bound], rooms: [old(), next()] }
    assert.deepStrictEqual(told(world), ["Moved a->b c1 room_upgraded"])
    assert.deepStrictEqual(chatsAfter(world), [
      chat("c1", "a", { binding: { roomId: roomId("b"), boundAt: 5000 }, markerRevision: 0 })
    ])
    assert.deepStrictEqual(told({ ...world, chats: chatsAfter(world) }), [
      "Skipped a upgraded",
      "Unchanged b c1 marker_missing"
    ])
  })

  it("hands it over with what was set in it", () => {
    const settings = { members: "room", kept: { colour: "blue" } } as const
    const world = { chats: [chat("c1", "a", { settings })], rooms: [old(), next()] }
    assert.deepStrictEqual(chatsAfter(world).map((_) => _.settings), [settings])
  })

  it("hands it over when the bot has left the old room", () => {
    const world = { chats: [bound], rooms: [old({ membership: "left" }), next()] }
    assert.deepStrictEqual(told(world), ["Moved a->b c1 room_upgraded"])
  })

  it.each<[string, ReadonlyArray<ServerRoom>]>([
    ["the tombstone's sender had no power", [old({ tombstone: tombstone("b", false) }), next()]],
    ["the bot has not joined the successor", [old(), next({ membership: "invite" })]],
    ["the successor names another predecessor", [old(), next({ predecessor: roomId("x") })]],
    ["the successor is a Space", [old(), next({ isSpace: true })]],
    ["the successor is unknown", [old()]],
    ["it names itself", [old({ tombstone: tombstone("a"), predecessor: roomId("a") })]]
  ])("keeps it when %s", (_, rooms) => {
    assert.include(told({ chats: [bound], rooms }), "Unchanged a c1 agrees")
  })

  it("keeps it when the successor shows another chat", () => {
    const rooms = [old(), next({ marker: marker("b", "c2") })]
    assert.deepStrictEqual(told({ chats: [bound, chat("c2", "b")], rooms }), [
      "Unchanged a c1 agrees",
      "Unchanged b c2 agrees"
    ])
  })

  it("keeps it when the successor claims another chat", () => {
    const rooms = [old(), next({ marker: marker("b", "c2") })]
    assert.deepStrictEqual(told({ chats: [bound], rooms }), ["Unchanged a c1 agrees", "Restored b c2 no_local_chat"])
  })

  it("keeps it when the successor claims it for another owner", () => {
    const rooms = [old(), next({ marker: marker("b", "c1", { owner: bob }) })]
    assert.deepStrictEqual(told({ chats: [bound], rooms }), [
      "Unchanged a c1 agrees",
      "Conflict b -/c1 owner_disagrees"
    ])
  })

  it("keeps it while its own marker disagrees", () => {
    const rooms = [old({ marker: marker("a", "c2") }), next()]
    assert.deepStrictEqual(told({ chats: [bound], rooms }), [
      "Conflict a c1/c2 one_room_two_chats",
      "Skipped b no_marker"
    ])
  })

  it("hands it over to a successor that claims this very chat, with the newer words", () => {
    const rooms = [old(), next({ marker: marker("b", "c1", { revision: 3, title: "Later" }) })]
    assert.deepStrictEqual(told({ chats: [bound], rooms }), ["Moved a->b c1 room_upgraded"])
    assert.deepStrictEqual(chatsAfter({ chats: [bound], rooms }).map((_) => [_.title, _.markerRevision]), [[
      "Later",
      3
    ]])
  })

  it("does not overwrite what is not ours in the successor", () => {
    const world = { chats: [bound], rooms: [old(), next({ marker: { version: 2 } })] }
    assert.deepStrictEqual(chatsAfter(world).map((_) => _.markerRevision), [foreignMarker])
  })

  it("follows a chain to its end, with the nearest chat", () => {
    const chain = [
      old(),
      next({ tombstone: tombstone("c") }),
      room("c", { predecessor: roomId("b") })
    ]
    assert.deepStrictEqual(told({ chats: [bound], rooms: chain }), [
      "Skipped b upgraded",
      "Moved a->c c1 room_upgraded"
    ])
    assert.deepStrictEqual(told({ chats: [bound, chat("c2", "b")], rooms: chain }), [
      "Unchanged a c1 agrees",
      "Moved b->c c2 room_upgraded"
    ])
  })

  it("stops a chain before a room that the bot has not joined", () => {
    const chain = [
      old(),
      next({ tombstone: tombstone("c") }),
      room("c", { predecessor: roomId("b"), membership: "invite" })
    ]
    assert.deepStrictEqual(told({ chats: [bound], rooms: chain }), [
      "Moved a->b c1 room_upgraded",
      "Skipped c pending_invite"
    ])
  })

  it("stops a chain before a successor that names another predecessor", () => {
    const chain = [old(), next({ tombstone: tombstone("c") }), room("c", { predecessor: roomId("x") })]
    assert.deepStrictEqual(told({ chats: [bound], rooms: chain }), [
      "Moved a->b c1 room_upgraded",
      "Skipped c no_marker"
    ])
  })

  it.each<OwnMembership>(["invite", "knock"])("does not believe the tombstone that comes with an %s", (membership) => {
    assert.deepStrictEqual(told({ chats: [bound], rooms: [old({ membership }), next()] }), [
      "Detached a c1 left",
      "Skipped b no_marker"
    ])
  })

  it("does not follow a circle", () => {
    const circle = [old({ predecessor: roomId("b") }), next({ tombstone: tombstone("a") })]
    assert.deepStrictEqual(told({ chats: [bound], rooms: circle }), ["Unchanged a c1 agrees", "Skipped b no_marker"])
  })

  it("gives its chat to the successor when the database is lost", () => {
    const chain = [
      old(),
      next({ tombstone: tombstone("c") }),
      room("c", { predecessor: roomId("b"), members: named(ann, "Annie") })
    ]
    assert.deepStrictEqual(told({ rooms: chain }), [
      "Skipped a upgraded",
      "Skipped b upgraded",
      "Restored c c1 no_local_chat"
    ])
    const [after] = chatsAfter({ rooms: chain })
    assert.deepStrictEqual(
      [after?.binding, after?.markerRevision, after?.ownerName, after?.revision],
      [{ roomId: roomId("c"), boundAt: 5000 }, 0, "Annie", 2]
    )
  })

  it("lets the newest marker of a chat speak when the database is lost", () => {
    const rooms = [old(), next({ marker: marker("b", "c1", { revision: 2, bound_at: 900 }) })]
    assert.deepStrictEqual(told({ rooms }), ["Skipped a upgraded", "Restored b c1 no_local_chat"])
  })

  it("lets it speak also where the chat stays half way", () => {
    const rooms = [
      old(),
      next({ marker: marker("b", "c1", { bound_at: 900 }), tombstone: tombstone("c") }),
      room("c", { predecessor: roomId("b"), marker: marker("c", "c2") })
    ]
    assert.deepStrictEqual(told({ rooms }), [
      "Skipped a upgraded",
      "Restored b c1 no_local_chat",
      "Restored c c2 no_local_chat"
    ])
  })

  it("gets its own chat back when the successor has another", () => {
    const rooms = [old(), next({ marker: marker("b", "c2") })]
    assert.deepStrictEqual(told({ rooms }), ["Restored a c1 no_local_chat", "Restored b c2 no_local_chat"])
  })
})

describe("decide", () => {
  it("leaves a detached chat alone that no room claims", () => {
    assert.deepStrictEqual(told({ chats: [chat("c1", null)] }), ["Unchanged - c1 still_detached"])
  })

  it("tells its outcomes by room id, chats without a room last", () => {
    const world = {
      chats: [chat("c1", null), chat("c3", "b"), chat("c2", "a")],
      rooms: [room("c"), room("b"), room("a")]
    }
    assert.deepStrictEqual(told(world), [
      "Unchanged a c2 marker_missing",
      "Unchanged b c3 marker_missing",
      "Skipped c no_marker",
      "Unchanged - c1 still_detached"
    ])
  })

  it("decides on thousands of rooms in linear time, also where all are one chain or claim one chat", () => {
    const names = Array.from({ length: 5000 }, (_, index) => `r${index}`)
    const chain = names.map((name, index) =>
      room(name, {
        marker: marker(name, "c0"),
        tombstone: tombstone(`r${index + 1}`),
        predecessor: index === 0 ? undefined : roomId(`r${index - 1}`)
      })
    )
    const outcomes = decideOn({ chats: [chat("c0", "r0")], rooms: chain })
    assert.strictEqual(outcomes.filter((outcome) => outcome._tag === "Moved").length, 1)
    assert.strictEqual(outcomes.length, 4999)

    const rivals = decideOn({ rooms: names.map((name) => room(name, { marker: marker(name, "c0") })) })
    assert.strictEqual(rivals.filter((outcome) => outcome._tag === "Conflict").length, 4999)
    assert.include(rivals.map(inShort), `Restored r0 ${chatId("c0")} no_local_chat`)
  })
})
