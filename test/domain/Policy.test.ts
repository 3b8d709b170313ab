import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import { EventId, RoomId, ServerName, UserId } from "../../src/domain/Ids.ts"
import type { IncomingMessage } from "../../src/domain/Message.ts"
import { decidePolicy, IgnoreReason, isAllowed, type PolicyContext, readMessage } from "../../src/domain/Policy.ts"
import type { RawEvent } from "../../src/domain/SyncBatch.ts"
import { hostileJson, oneOf } from "./Reconciliation/World.ts"

const self = UserId.make("@bot:example.org")
const ann = UserId.make("@ann:example.org")
const mallory = UserId.make("@mallory:evil.example")
const here = RoomId.make("!room:example.org")
const earlier = EventId.make("$earlier")
const root = EventId.make("$root")

const event = (content: RawEvent["content"], options: Partial<RawEvent> = {}): RawEvent => ({
  event_id: EventId.make("$event"),
  type: "m.room.message",
  sender: ann,
  origin_server_ts: 1000,
  content,
  ...options
})
const read = (content: RawEvent["content"], options?: Partial<RawEvent>) =>
  readMessage(event(content, options), here, "live")
const message = (content: RawEvent["content"], options?: Partial<RawEvent>): IncomingMessage =>
  Result.getOrThrow(read({ msgtype: "m.text", body: "hello", ...content }, options))
const refusal = (content: RawEvent["content"], options?: Partial<RawEvent>) => {
  const reading = read(content, options)
  assert(Result.isFailure(reading))
  return reading.failure
}

describe("readMessage", () => {
  it("reads a plain message", () => {
    assert.deepStrictEqual(message({}), {
      eventId: EventId.make("$event"),
      roomId: here,
      sender: ann,
      sentAt: 1000,
      msgtype: "m.text",
      body: "hello",
      attachment: undefined,
      mentions: undefined,
      replyTo: undefined,
      threadRoot: undefined,
      replaces: undefined,
      provenance: "live"
    })
  })

  it.each<[IgnoreReason, RawEvent["content"], Partial<RawEvent>]>([
    ["encrypted", { algorithm: "m.megolm.v1.aes-sha2" }, { type: "m.room.encrypted" }],
    ["malformed", {}, {}],
    ["malformed", { msgtype: "m.text" }, {}],
    ["malformed", { msgtype: "m.text", body: 1 }, {}],
    ["malformed", { msgtype: ["m.text"], body: "x" }, {}],
    ["malformed", { msgtype: "m.text", body: "x" }, { state_key: "" }],
    ["malformed", { msgtype: "m.text", body: "x".repeat(65_537) }, {}],
    ["not_a_text_message", { msgtype: "m.location", body: "here", geo_uri: "geo:1,2" }, {}],
    ["malformed", { msgtype: "m.image", body: "x.png" }, {}],
    ["not_a_text_message", { body: "hello", msgtype: "m.text" }, { type: "m.sticker" }]
  ])("refuses as %s: %j %j", (reason, content, options) => assert.strictEqual(refusal(content, options), reason))

  it("reads edits, replies and threads", () => {
    assert.strictEqual(message({ "m.relates_to": { rel_type: "m.replace", event_id: earlier } }).replaces, earlier)
    assert.strictEqual(message({ "m.relates_to": { "m.in_reply_to": { event_id: earlier } } }).replyTo, earlier)
    const thread = { rel_type: "m.thread", event_id: root, "m.in_reply_to": { event_id: earlier } }
    const inThread = message({ "m.relates_to": thread })
    assert.deepStrictEqual([inThread.threadRoot, inThread.replyTo, inThread.replaces], [root, earlier, undefined])
    const fallingBack = message({ "m.relates_to": { ...thread, is_falling_back: true } })
    assert.deepStrictEqual([fallingBack.threadRoot, fallingBack.replyTo], [root, undefined])
  })

  it("takes a relation that makes no sense for none", () => {
    const odd = message({ "m.relates_to": { rel_type: "m.replace", event_id: 7, "m.in_reply_to": [earlier] } })
    assert.deepStrictEqual([odd.replaces, odd.replyTo], [undefined, undefined])
    assert.strictEqual(message({ "m.relates_to": null }).replyTo, undefined)
  })

  it("tells a message that mentions nobody from one that does not say", () => {
    assert.deepStrictEqual(message({ "m.mentions": {} }).mentions, [])
    assert.deepStrictEqual(message({ "m.mentions": { user_ids: [self, 1, "bot", null] } }).mentions, [self])
    assert.strictEqual(message({ "m.mentions": [] }).mentions, undefined)
  })

  const reply = { "m.relates_to": { "m.in_reply_to": { event_id: earlier } } }

  it("strips the quoted fallback of a rich reply", () => {
    const body = `> <${self}> first\n> second\n>\n\nanswer\n> my own quote`
    assert.strictEqual(message({ ...reply, body }).body, "answer\n> my own quote")
    assert.strictEqual(message({ ...reply, body: `> * <${self}> waves\n\nanswer` }).body, "answer")
    assert.strictEqual(message({ ...reply, body: `> <${self}> only this` }).body, "")
  })

  it("keeps quotes that people write themselves", () => {
    const quote = "> be or not to be\n\nwhich?"
    assert.strictEqual(message({ ...reply, body: quote }).body, quote)
    const fallback = `> <${self}> first\n\nanswer`
    assert.strictEqual(message({ body: fallback }).body, fallback)
  })

  const contentKeys = ["msgtype", "body", "m.relates_to", "m.mentions", "m.new_content"] as const
  const relationKeys = ["rel_type", "event_id", "m.in_reply_to", "is_falling_back"] as const

  it.prop("reads any content without throwing", [
    oneOf(...contentKeys),
    oneOf(undefined, ...relationKeys),
    hostileJson,
    oneOf("m.room.message", "m.room.encrypted", "m.reaction")
  ], ([key, inner, hostile, type]) => {
    const whole = { msgtype: "m.text", body: "> <@a:b> x", "m.relates_to": { "m.in_reply_to": { event_id: "$a" } } }
    const content = inner === undefined
      ? { ...whole, [key]: hostile() }
      : { ...whole, "m.relates_to": { ...whole["m.relates_to"], [inner]: hostile() } }
    const reading = read(content, { type })
    if (Result.isSuccess(reading)) assert.isAtMost(reading.success.body.length, 65_536)
    else assert.isTrue(Schema.is(IgnoreReason)(reading.failure))
  }, { arbitrary: { runs: 500 } })
})

const context: PolicyContext = {
  self,
  allowedUsers: [],
  allowedServers: [],
  admins: [],
  commandPrefix: "!",
  joinedMembers: 3,
  repliesToSelf: false,
  owner: ann,
  rules: { mention: "group", members: "allowed" }
}
const alone = { ...context, joinedMembers: 2 }
const verdict = (content: RawEvent["content"], options: Partial<RawEvent> = {}, with_: PolicyContext = context) => {
  const decision = decidePolicy(message(content, options), with_)
  return decision._tag === "Accept" ? "accept" : decision.reason
}

describe("decidePolicy", () => {
  it("ignores what it must not answer, and the first reason counts", () => {
    const edit = { "m.relates_to": { rel_type: "m.replace", event_id: earlier } }
    const everything = { ...edit, msgtype: "m.notice" }
    assert.strictEqual(verdict(everything, { sender: self }), "own_message")
    assert.strictEqual(verdict(everything, { sender: mallory }), "notice")
    assert.strictEqual(verdict(edit, { sender: mallory }), "edit")
    assert.strictEqual(verdict({}, { sender: mallory }), "sender_not_allowed")
    assert.strictEqual(verdict({}), "not_addressed")
    assert.strictEqual(verdict({}, {}, alone), "accept")
  })

  it("is addressed by everything in a room of two", () => {
    assert.strictEqual(verdict({ "m.mentions": { user_ids: [mallory] } }, {}, alone), "accept")
    assert.strictEqual(verdict({ msgtype: "m.emote" }, {}, alone), "accept")
    assert.strictEqual(verdict({}, {}, { ...context, joinedMembers: 1 }), "accept")
  })

  it("is addressed in a larger room by a mention, a reply or a command", () => {
    assert.strictEqual(verdict({ "m.mentions": { user_ids: [mallory, self] } }), "accept")
    assert.strictEqual(verdict({}, {}, { ...context, repliesToSelf: true }), "accept")
    assert.strictEqual(verdict({ body: "!status" }), "accept")
    assert.strictEqual(verdict({ body: "!sttaus" }), "accept")
    assert.strictEqual(verdict({ body: "!!!" }), "not_addressed")
    assert.strictEqual(verdict({ body: "!status" }, {}, { ...context, commandPrefix: "/" }), "not_addressed")
  })

  it.each([
    [`${self} hello`, "accept"],
    [`hello ${self}`, "accept"],
    [`(${self}): hello`, "accept"],
    [`ask ${self}.`, "accept"],
    [`${self}.evil.example and ${self}, both`, "accept"],
    [`${self}.evil.example`, "not_addressed"],
    [`${self}:8448`, "not_addressed"],
    [`${self}s`, "not_addressed"],
    [`${self}.-evil.example`, "not_addressed"],
    [`x${self}`, "not_addressed"],
    ["bot: hello", "not_addressed"]
  ])(
    "looks for its whole user id where the client does not say whom it mentions: %j",
    (body, expected) => assert.strictEqual(verdict({ body }), expected)
  )

  it("believes a client that says whom it mentions", () => {
    assert.strictEqual(verdict({ body: `${self} is a bot`, "m.mentions": {} }), "not_addressed")
  })

  it("is addressed as the owner of the chat has set it", () => {
    const set = (mention: "always" | "group" | "never", joinedMembers: number): PolicyContext => ({
      ...context,
      joinedMembers,
      rules: { ...context.rules, mention }
    })
    const plain = [2, 3].flatMap((joined) =>
      (["always", "group", "never"] as const).map((mention) => verdict({}, {}, set(mention, joined)))
    )
    assert.deepStrictEqual(plain, ["not_addressed", "accept", "accept", "not_addressed", "not_addressed", "accept"])
    assert.strictEqual(verdict({ body: "!set mention group" }, {}, set("always", 2)), "accept")
    assert.strictEqual(verdict({}, {}, { ...set("always", 2), repliesToSelf: true }), "accept")
    assert.strictEqual(verdict({ "m.mentions": { user_ids: [self] } }, {}, set("always", 2)), "accept")
  })

  const bob = UserId.make("@bob:example.org")

  it("answers those whom the owner of the chat has let in", () => {
    const set = (members: "owner" | "allowed" | "room", owner: UserId | undefined = ann): PolicyContext => ({
      ...alone,
      allowedUsers: [ann, bob],
      owner,
      rules: { ...context.rules, members }
    })
    const saidBy = (sender: UserId, with_: PolicyContext) => verdict({}, { sender }, with_)
    for (const sender of [ann, bob]) assert.strictEqual(saidBy(sender, set("allowed")), "accept")
    assert.strictEqual(saidBy(mallory, set("allowed")), "sender_not_allowed")
    for (const sender of [ann, bob, mallory]) assert.strictEqual(saidBy(sender, set("room")), "accept")
    assert.strictEqual(saidBy(ann, set("owner")), "accept")
    assert.strictEqual(saidBy(bob, set("owner")), "not_the_owner")
    assert.strictEqual(saidBy(mallory, set("owner")), "sender_not_allowed")
  })

  it("lets nobody in for an owner who is not allowed any more", () => {
    const shared: PolicyContext = {
      ...alone,
      allowedUsers: [bob],
      owner: ann,
      rules: { mention: "group", members: "room" }
    }
    for (const sender of [ann, mallory]) assert.strictEqual(verdict({}, { sender }, shared), "sender_not_allowed")
    assert.strictEqual(verdict({}, { sender: bob }, shared), "accept")
  })

  const users = oneOf(self, ann, mallory)
  const settings = Arbitrary.all({
    self: oneOf(self),
    allowedUsers: oneOf<ReadonlyArray<ReadonlyArray<UserId>>>([], [ann], [mallory], [ann, self]),
    allowedServers: oneOf<ReadonlyArray<ReadonlyArray<ServerName | "*">>>(
      [],
      ["*"],
      [ServerName.make("evil.example")],
      [ServerName.make("example.org")]
    ),
    admins: oneOf<ReadonlyArray<ReadonlyArray<UserId>>>([], [mallory]),
    commandPrefix: oneOf("!", "/"),
    joinedMembers: oneOf(0, 1, 2, 3, 1000),
    repliesToSelf: oneOf(true, false),
    owner: oneOf(undefined, ann, mallory),
    rules: Arbitrary.all({
      mention: oneOf("always", "group", "group", "never"),
      members: oneOf("owner", "allowed", "allowed", "room")
    })
  })
  const messages = Arbitrary.all({
    sender: users,
    msgtype: oneOf("m.text", "m.text", "m.emote", "m.notice"),
    body: oneOf("hello", "!help", "!!!", "", `${self}`, `${self}${self}`, `hey ${self}!`),
    mentions: oneOf(undefined, [], [self], [ann]),
    replaces: oneOf(undefined, undefined, earlier)
  }).pipe(Arbitrary.map((options): IncomingMessage => ({ ...message({}), ...options })))

  it.prop("never accepts its own message, a notice, an edit, or a sender who is not allowed", [messages, settings], ([
    message,
    context
  ]) => {
    const decision = decidePolicy(message, context)
    const { owner, rules: { members, mention } } = context
    const sharedByOwner = members === "room" && owner !== undefined && isAllowed(owner, context)
    const forbidden = message.sender === self || message.msgtype === "m.notice" || message.replaces !== undefined ||
      !(isAllowed(message.sender, context) || sharedByOwner) || (members === "owner" && message.sender !== owner)
    if (decision._tag === "Accept") assert.isFalse(forbidden)
    else assert.isTrue(forbidden || decision.reason === "not_addressed")
    const alwaysForTheBot = mention === "never" || (mention === "group" && context.joinedMembers <= 2)
    if (!forbidden && alwaysForTheBot) assert.deepStrictEqual(decision, { _tag: "Accept" })
    assert.deepStrictEqual(decidePolicy(message, context), decision)
  }, { arbitrary: { runs: 1000 } })
})

describe("isAllowed", () => {
  const nobody = { self, allowedUsers: [], allowedServers: [], admins: [] }
  const other = UserId.make("@ann:other.example:8448")

  it("admits the operators of the bot whatever is set, and nobody more because of them", () => {
    const settings = { ...nobody, admins: [other] }
    assert.isTrue(isAllowed(other, settings))
    assert.isTrue(isAllowed(ann, settings), "the bot's own server")
    assert.isTrue(isAllowed(other, { ...settings, allowedUsers: [ann] }))
    assert.isFalse(isAllowed(mallory, settings))
  })

  it("admits the bot's own server when nothing is set", () => {
    assert.isTrue(isAllowed(ann, nobody))
    assert.isFalse(isAllowed(other, nobody))
  })

  it("admits only who is named once somebody is", () => {
    const settings = { ...nobody, allowedUsers: [other] }
    assert.isTrue(isAllowed(other, settings))
    assert.isFalse(isAllowed(ann, settings))
  })

  it("admits whole servers, port included, and all of them with a star", () => {
    assert.isTrue(isAllowed(other, { ...nobody, allowedServers: [ServerName.make("other.example:8448")] }))
    assert.isFalse(isAllowed(other, { ...nobody, allowedServers: [ServerName.make("other.example")] }))
    assert.isTrue(isAllowed(mallory, { ...nobody, allowedServers: ["*"] }))
    assert.isTrue(
      isAllowed(mallory, { ...nobody, allowedUsers: [mallory], allowedServers: [ServerName.make("x.example")] })
    )
  })
})
