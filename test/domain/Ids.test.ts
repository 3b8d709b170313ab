import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  ChatId,
  EventId,
  MxcUri,
  RoomId,
  ServerName,
  serverOf,
  SyncToken,
  TransactionId,
  UserId
} from "../../src/domain/Ids.ts"

const v12 = `!${"aB3_-".repeat(8)}xyz`

const grammars: ReadonlyArray<{
  readonly name: string
  readonly accepts: (id: string) => boolean
  readonly good: ReadonlyArray<string>
  readonly bad: ReadonlyArray<string>
}> = [
  {
    name: "ServerName",
    accepts: Schema.is(ServerName),
    good: [
      "example.org",
      "localhost",
      "EXAMPLE.org:8448",
      "1.2.3.4",
      "1.2.3.4:1",
      "[1234:5678::abcd]",
      "[::1]:5678",
      "a".repeat(255)
    ],
    bad: [
      "",
      "exa mple.org",
      "example.org:",
      "example.org:port",
      "example.org:123456",
      "[::1",
      "::1",
      "under_score",
      "a".repeat(256)
    ]
  },
  {
    name: "UserId",
    accepts: Schema.is(UserId),
    good: [
      "@a:example.org",
      "@:example.org",
      "@Old/Name=3d!:example.org",
      "@ünïcode:[::1]:8448",
      `@${"x".repeat(250)}:abc`
    ],
    bad: [
      "a:example.org",
      "@a",
      "@a:",
      "@a b:example.org",
      "@a\n:example.org",
      "@a:b:c",
      "@a\0:example.org",
      `@${"x".repeat(251)}:abc`,
      `@${"ü".repeat(126)}:abc`
    ]
  },
  {
    name: "RoomId",
    accepts: Schema.is(RoomId),
    good: ["!abc:example.org", "!a/b+c=:example.org:8448", "!x:[::1]", v12, `${v12}:example.org`],
    bad: [
      "!",
      "#alias:example.org",
      "!abc",
      "!:example.org",
      `${v12}x`,
      v12.slice(1),
      `!${"+".repeat(43)}`,
      "!abc:example.org\n"
    ]
  },
  {
    name: "EventId",
    accepts: Schema.is(EventId),
    good: [
      "$abc:example.org",
      "$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg",
      "$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk"
    ],
    bad: ["$", "abc", "$a b", `$${"x".repeat(255)}`]
  },
  {
    name: "TransactionId",
    accepts: Schema.is(TransactionId),
    good: ["m1.2~3_-"],
    bad: ["", "a/b", "a b", "ä"]
  },
  {
    name: "ChatId",
    accepts: Schema.is(ChatId),
    good: ["a", "A-_9".repeat(16)],
    bad: ["", "a".repeat(65), "a b", "a:b"]
  },
  {
    name: "MxcUri",
    accepts: Schema.is(MxcUri),
    good: ["mxc://example.org:8448/Abc_-1", "mxc://[::1]/x"],
    bad: ["mxc://example.org/", "mxc://example.org/../x", "https://example.org/x"]
  },
  { name: "SyncToken", accepts: Schema.is(SyncToken), good: ["s72594_4483_1934"], bad: [""] }
]

describe.each(grammars)("$name", ({ accepts, bad, good }) => {
  it("accepts what the specification allows", () => assert.deepStrictEqual(good.filter((id) => !accepts(id)), []))
  it("refuses what it does not", () => assert.deepStrictEqual(bad.filter(accepts), []))
})

describe("serverOf", () => {
  it.each([["@a:example.org", "example.org"], ["@a:[::1]:8448", "[::1]:8448"], [
    "@:example.org:8448",
    "example.org:8448"
  ]])(
    "finds the server of %s",
    (user, server) => assert.strictEqual(serverOf(UserId.make(user)), server)
  )

  it.prop("finds a server in every user id", [UserId], ([user]) => {
    assert.isTrue(Schema.is(ServerName)(serverOf(user)))
  }, { arbitrary: { runs: 30 } })
})
