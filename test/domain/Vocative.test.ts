import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { EventId, RoomId, UserId } from "../../src/domain/Ids.ts"
import { readMessage } from "../../src/domain/Policy.ts"
import { withoutVocative } from "../../src/domain/Vocative.ts"

const self = UserId.make("@homing:example.org")

/** What is left of a message to the bot. */
const said = (body: string, more: Readonly<Record<string, unknown>> = { "m.mentions": { user_ids: [self] } }) => {
  const event = {
    event_id: EventId.make("$1"),
    type: "m.room.message",
    sender: UserId.make("@ada:example.org"),
    origin_server_ts: 1,
    content: { msgtype: "m.text", body, ...more }
  }
  const message = Result.getOrThrow(readMessage(event, RoomId.make("!a:example.org"), "live"))
  return withoutVocative(message, event, self)
}

const pill = (user: string, shown: string, rest: string) => ({
  format: "org.matrix.custom.html",
  formatted_body: `<a href="https://matrix.to/#/${user}">${shown}</a>${rest}`,
  "m.mentions": { user_ids: [user] }
})

describe("a message that begins with the name of the bot", () => {
  it("says what comes behind it", () => {
    assert.strictEqual(said("Homing: !status", pill(self, "Homing", ": !status")).body, "!status")
    assert.strictEqual(said("Tom &amp Co, roll", pill(self, "Tom &amp;amp Co", ", roll")).body, "roll")
    assert.strictEqual(
      said("Homing roll", {
        ...pill(encodeURIComponent(self), "Homing", " roll"),
        "m.mentions": { user_ids: [self] }
      }).body,
      "roll"
    )
    assert.strictEqual(said(`${self} !chats all`).body, "!chats all")
    assert.strictEqual(said(`${self}: one\ntwo`).body, "one\ntwo")
  })

  it("mentions the bot by its user id where its client does not say whom it mentions", () => {
    const message = said(`${self}: hello`, {})
    assert.deepInclude(message, { body: "hello", mentions: [self] })
  })

  it("stays as it is where the name is somebody else's, part of a word, or all of it", () => {
    const ada = "@ada:example.org"
    assert.strictEqual(said("Ada: hello", pill(ada, "Ada", ": hello")).body, "Ada: hello")
    assert.strictEqual(said("Homing: hello").body, "Homing: hello")
    assert.strictEqual(said(`${self}.evil: hello`).body, `${self}.evil: hello`)
    assert.strictEqual(said(`${self}: hello`, { "m.mentions": { user_ids: [ada] } }).body, `${self}: hello`)
    assert.strictEqual(said("Homing", pill(self, "Homing", "")).body, "Homing")
    assert.strictEqual(said("Homing:", pill(self, "Homing", ":")).body, "Homing:")
  })
})
