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
import { oneResponder, problemOf, type ResponderChoice } from "../../src/domain/ResponderChoice.ts"
import { hostileJson, oneOf } from "./Reconciliation/World.ts"

const several: ResponderChoice = {
  standard: "echo",
  meanings: new Map([["echo", "I say what you say"], ["dice", "I roll a die"], ["constructor", "I build"]])
}

const wire = (content: unknown): unknown => JSON.parse(JSON.stringify(content))

/** What may stand in a marker: names that are known or not, values that make sense or not. */
const anyContent = Arbitrary.all({
  first: oneOf(...settingNames(several), "colour", "__proto__", "constructor", "toString", "Upper Case", "kept", ""),
  second: oneOf(...settingNames(several), "limit"),
  value: oneOf(
    "answer",
    "newest",
    "skip",
    "always",
    "never",
    "room",
    "owner",
    "blue",
    "dice",
    "two\nlines",
    "\u202e",
    ""
  ),
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
      redactions: "keep",
      responder: "default"
    })
    assert.deepStrictEqual(rulesOf(noSettings, "newest"), {
      backlog: "newest",
      mention: "group",
      members: "allowed",
      redactions: "keep",
      responder: "default"
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
  it.prop(
    "changes one and leaves every other as it was",
    [anyContent, oneOf(...settingNames(several))],
    ([content, name]) => {
      const before = readSettings(content)
      const { [name]: _, ...others } = writtenSettings(before)
      for (const value of valuesOf(name, several)) {
        const after = withSetting(before, name, value)
        assert.deepStrictEqual(writtenSettings(after), { ...others, [name]: value })
        assert.strictEqual(after[name], value)
        assert.deepStrictEqual(withSetting(after, name, undefined), withSetting(before, name, undefined))
      }
      assert.deepStrictEqual(writtenSettings(withSetting(before, name, undefined)), others)
    },
    { arbitrary: { runs: 300 } }
  )
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
    const meanings = settingNames(several).flatMap((name) =>
      valuesOf(name, several).map((value) =>
        meaningOf(name, rulesOf(withSetting(noSettings, name, value), "answer", several), several)
      )
    )
    assert.lengthOf(new Set(meanings), 14)
    assert.notInclude(meanings, "")
  })
})

describe("who answers", () => {
  it("is the responder that was chosen, where there is one of this name", () => {
    assert.strictEqual(rulesOf(readSettings({ responder: "dice" }), "answer", several).responder, "dice")
    for (const other of ["oracle", "valueOf", "toString", "default"]) {
      assert.strictEqual(rulesOf(readSettings({ responder: other }), "answer", several).responder, "echo")
    }
    assert.strictEqual(rulesOf(noSettings, "answer", several).responder, "echo")
  })

  it("is told with what else it could be", () => {
    assert.include(
      settingsText(readSettings({ responder: "dice" }), "answer", several),
      "- `responder` is `dice` (default `echo`): I roll a die. It can also be `echo` or `constructor`."
    )
  })

  it("is told where the one that was chosen is not there, with what was chosen, which is kept", () => {
    const settings = readSettings({ responder: "oracle" })
    assert.include(
      settingsText(settings, "answer", several),
      "- `responder` is `oracle`, which I do not have: I keep it, and answer as `echo`, the default: I say what you say. " +
        "It can be `echo` or `dice` or `constructor`."
    )
    assert.deepStrictEqual(writtenSettings(withSetting(settings, "mention", "never")), {
      responder: "oracle",
      mention: "never"
    })
  })

  it("is no setting where there is but one, and is told only where another was chosen", () => {
    assert.notInclude(settingNames(oneResponder), "responder")
    assert.notInclude(settingsText(noSettings, "answer", oneResponder), "responder")
    assert.include(
      settingsText(readSettings({ responder: "dice" }), "answer", oneResponder),
      "- `responder` is `dice`, which I do not have: I keep it, and answer as I always do."
    )
    const dice: ResponderChoice = { standard: "dice", meanings: new Map([["dice", "I roll a die"]]) }
    assert.notInclude(settingsText(readSettings({ responder: "dice" }), "answer", dice), "responder")
  })

  it("what could be no name of a responder is kept as of a newer version", () => {
    assert.deepStrictEqual(readSettings({ responder: "The Oracle" }), { kept: { responder: "The Oracle" } })
  })
})

describe("the names of responders", () => {
  const named = (...names: ReadonlyArray<string>): ResponderChoice => ({
    standard: names[0] ?? "",
    meanings: new Map(names.map((name) => [name, ""]))
  })

  it.each(["echo", "a", "night-owl_2", "n".repeat(32)])("may be %s", (name) => {
    assert.isUndefined(problemOf(named(name)))
  })

  it.each(["", "Echo", "2nd", "-x", "two words", "n".repeat(33), "écho", "a=b", "x\n"])("may not be %j", (name) => {
    assert.include(problemOf(named("echo", name)), `cannot be called ${JSON.stringify(name)}`)
  })

  it("may not be the word that takes the choice back", () => {
    assert.include(problemOf(named("default")), "takes the choice back")
  })

  it("have the default among them", () => {
    assert.include(problemOf({ ...several, standard: "oracle" }), "no responder called \"oracle\"")
  })
})
