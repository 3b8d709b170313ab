import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import {
  ChatSettings,
  meaningOf,
  noSettings,
  readSettings,
  rulesOf,
  settingNames,
  settingsText,
  valuesOf,
  withSetting,
  writtenSettings
} from "../../src/domain/ChatSettings.ts"
import { hostileJson, oneOf } from "./Reconciliation/World.ts"

const wire = (content: unknown): unknown => JSON.parse(JSON.stringify(content))

/** What may stand in a marker: names that are known or not, values that make sense or not. */
const anyContent = Arbitrary.all({
  first: oneOf(...settingNames, "colour", "__proto__", "constructor", "toString", "Upper Case", "kept", ""),
  second: oneOf(...settingNames, "limit"),
  value: oneOf("answer", "newest", "skip", "always", "never", "room", "owner", "blue", "two\nlines", "\u202e", ""),
  hostile: hostileJson,
  kind: oneOf("known", "known", "hostile value", "hostile")
}).pipe(Arbitrary.map(({ first, hostile, kind, second, value }): unknown => {
  switch (kind) {
    case "known":
      return { [first]: value, [second]: value }
    case "hostile value":
      return { [first]: hostile(), [second]: value }
    case "hostile":
      return hostile()
  }
}))

describe("settings as they are written", () => {
  it("are read, and what is absent has its default", () => {
    const settings = readSettings({ backlog: "skip", members: "room" })
    assert.deepStrictEqual(settings, { backlog: "skip", members: "room", kept: {} })
    assert.deepStrictEqual(rulesOf(settings, "newest"), {
      backlog: "skip",
      mention: "group",
      members: "room",
      redactions: "keep"
    })
    assert.deepStrictEqual(rulesOf(noSettings, "newest"), {
      backlog: "newest",
      mention: "group",
      members: "allowed",
      redactions: "keep"
    })
  })

  it.each([undefined, null, [], "text", 7, true])("are none in %j", (content) => {
    assert.deepStrictEqual(readSettings(content), noSettings)
  })

  it("keep what a newer version may have set, and let it count for nothing", () => {
    const settings = readSettings({ backlog: "digest", colour: "blue", mention: "never" })
    assert.deepStrictEqual(settings, { mention: "never", kept: { backlog: "digest", colour: "blue" } })
    assert.strictEqual(rulesOf(settings, "answer").backlog, "answer")
    assert.deepStrictEqual(writtenSettings(settings), { backlog: "digest", colour: "blue", mention: "never" })
  })

  it("lose what no version would write", () => {
    const odd = {
      "__proto__ ": "x",
      "Not A Name": "x",
      ["n".repeat(33)]: "x",
      colour: 7,
      depth: { a: 1 },
      text: "two\nlines",
      mark: "a\u202eb",
      half: "\ud83e",
      long: "x".repeat(101)
    }
    assert.deepStrictEqual(readSettings(odd), noSettings)
    assert.deepStrictEqual(readSettings(JSON.parse(`{"__proto__": {"backlog": "skip"}}`)), noSettings)
  })

  it("keep no more than a few", () => {
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, "x"]))
    assert.lengthOf(Object.keys(readSettings(many).kept), 32)
  })

  it.prop("come back from the wire as they were, whatever was read first", [anyContent], ([content]) => {
    const settings = readSettings(content)
    assert.isTrue(Schema.is(ChatSettings)(settings))
    assert.deepStrictEqual(readSettings(wire(writtenSettings(settings))), settings)
    const { kept, ...understood } = settings
    for (const name of Object.keys(kept)) assert.isFalse(Object.hasOwn(understood, name), name)
  }, { arbitrary: { runs: 1000 } })
})

describe("setting", () => {
  it.prop("changes one and leaves every other as it was", [anyContent, oneOf(...settingNames)], ([content, name]) => {
    const before = readSettings(content)
    const { [name]: _, ...others } = writtenSettings(before)
    for (const value of valuesOf(name)) {
      const after = withSetting(before, name, value)
      assert.deepStrictEqual(writtenSettings(after), { ...others, [name]: value })
      assert.strictEqual(after[name], value)
      assert.deepStrictEqual(withSetting(after, name, undefined), withSetting(before, name, undefined))
    }
    assert.deepStrictEqual(writtenSettings(withSetting(before, name, undefined)), others)
  }, { arbitrary: { runs: 300 } })
})

describe("settings as they are shown", () => {
  it("have each its value, its default, its meaning, and what else it can be", () => {
    const settings = readSettings({ backlog: "skip" })
    const [backlog, mention, members, redactions, ...rest] = settingsText(settings, "newest").split("\n")
    assert.strictEqual(
      backlog,
      "- `backlog` is `skip` (default `newest`): I answer no messages that came while I was away. It can also be `answer` or `newest`."
    )
    assert.include(mention, "`group` (the default)")
    assert.include(members, "`allowed` (the default)")
    assert.include(redactions, "`keep` (the default)")
    assert.deepStrictEqual(rest, [])
  })

  it("name what this version does not understand, as it is and never as markup", () => {
    assert.include(settingsText(readSettings({ colour: "`[x](y)" }), "answer"), "`colour` is `` `[x](y) ``")
  })

  it("mean something in every value", () => {
    const meanings = settingNames.flatMap((name) =>
      valuesOf(name).map((value) => meaningOf(name, rulesOf(withSetting(noSettings, name, value), "answer")))
    )
    assert.lengthOf(new Set(meanings), 11)
  })
})
