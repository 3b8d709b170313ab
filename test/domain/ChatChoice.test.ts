import { assert, describe, it } from "@effect/vitest"
import { chooseChat, nameOf, offerToMove } from "../../src/domain/ChatChoice.ts"
import { parseCommand } from "../../src/domain/Command.ts"
import { chat, roomId } from "./Reconciliation/World.ts"

const here = roomId("here")
const tea = chat("c1", "a", { title: "Tea" })
const roomless = chat("c2", null, { title: "Tea" })
const chosen = (...args: Parameters<typeof chooseChat>) => {
  const choice = chooseChat(...args)
  return choice._tag === "Chosen" ? choice.chat.id : choice._tag
}

describe("which chat is meant", () => {
  it("is told by its id, by its title, or by its title in other letters", () => {
    const others = [tea, chat("c3", "b", { title: "Coffee" }), chat("Tea", "d", { title: "By its id" })]
    assert.strictEqual(chosen(others, "c3", here), "c3")
    assert.strictEqual(chosen(others, " COFFEE ", here), "c3")
    assert.strictEqual(chosen(others, "Tea", here), "Tea")
    assert.strictEqual(chosen(others, "Cocoa", here), "None")
  })

  it("is, of several, the only one without a room", () => {
    assert.strictEqual(chosen([tea, roomless], "Tea", here), "c2")
    assert.strictEqual(chosen([tea, roomless, chat("c3", null, { title: "Tea" })], "Tea", here), "Several")
    assert.strictEqual(chosen([tea, chat("c3", "b", { title: "Tea" })], "Tea", here), "Several")
  })

  it("is never the one that was just born in this room, but the one that somebody uses in it", () => {
    const born = chat("c3", "here", { title: "Tea", fresh: true })
    assert.strictEqual(chosen([born, tea], "Tea", here), "c1")
    assert.strictEqual(chosen([born], "Tea", here), "c3")
    assert.strictEqual(chosen([chat("c3", "here", { title: "Tea" }), tea], "Tea", here), "c3")
  })
})

describe("the offer of chats without a room", () => {
  it("names up to three, and none that is archived or has a room", () => {
    const without = (id: string) => chat(id, null, { title: `Chat ${id}` })
    assert.isUndefined(offerToMove("!", [tea, chat("c9", null, { archived: true })]))
    assert.include(offerToMove("!", [tea, without("c3")]), "`Chat c3`. Type `!move Chat c3`")
    assert.include(
      offerToMove("?", ["c3", "c4", "c5", "c6", "c7"].map(without)),
      "`Chat c3`, `Chat c4`, `Chat c5` and 2 more. Type `?move Chat c3`"
    )
  })

  it.each(["Tea", "\"Quoted\"", "'tis", "“Both” ends", "", "a `b` c", "\\"])(
    "is typed so that it is understood: %s",
    (title) => {
      const chats = [chat("c1", null, { title }), chat("c2", "a", { title: "Another" })]
      const typed = nameOf(chat("c1", null, { title }), chats)
      const reading = parseCommand("!", `!move ${typed}`)
      const meant = reading._tag === "Parsed" && reading.command._tag === "Move" ? reading.command.chat : ""
      assert.strictEqual(chosen(chats, meant, here), "c1")
    }
  )
})
