import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { maximumTitleLength } from "../../src/domain/Chat.ts"
import { settingNames, valuesOf } from "../../src/domain/ChatSettings.ts"
import {
  cleanTitle,
  type Command,
  commandNames,
  type CommandReading,
  exampleOf,
  helpText,
  parseCommand
} from "../../src/domain/Command.ts"
import type { ResponderChoice } from "../../src/domain/ResponderChoice.ts"
import { oneOf } from "./Reconciliation/World.ts"

const parsed = (body: string, prefix = "!"): Command => {
  const reading = parseCommand(prefix, body)
  assert(reading._tag === "Parsed", `${body} is ${reading._tag}`)
  return reading.command
}
const problem = (body: string): string => {
  const reading = parseCommand("!", body)
  assert(reading._tag === "Misused", `${body} is ${reading._tag}`)
  return reading.problem
}
const several: ResponderChoice = {
  standard: "echo",
  meanings: new Map([["echo", "I say what you say"], ["night-owl", "I answer at night"]])
}
const suggestion = (body: string): string | undefined => {
  const reading = parseCommand("!", body)
  assert(reading._tag === "Unknown", `${body} is ${reading._tag}`)
  return reading.suggestion
}

describe("parseCommand", () => {
  it.each([
    "",
    "hello",
    "!",
    "!!",
    "!!!",
    "! hello",
    "!1",
    "!?",
    "say !help",
    " !help",
    "!\nhelp",
    "!help/me",
    "\n!help"
  ])(
    "takes %j for no command",
    (body) => assert.deepStrictEqual(parseCommand("!", body), { _tag: "NotACommand" })
  )

  it("takes nothing for a command when the prefix is a path or missing", () => {
    assert.strictEqual(parseCommand("/", "/usr/bin/env")._tag, "NotACommand")
    assert.strictEqual(parseCommand("!homing ", "!homing")._tag, "NotACommand")
    assert.strictEqual(parseCommand("", "help")._tag, "NotACommand")
  })

  it("reads every command", () => {
    assert.deepStrictEqual(parsed("!help"), { _tag: "Help", topic: undefined })
    assert.deepStrictEqual(parsed("!help rename"), { _tag: "Help", topic: "rename" })
    assert.deepStrictEqual(parsed("!chats"), { _tag: "Chats", archived: false, page: 1 })
    assert.deepStrictEqual(parsed("!chats Archived"), { _tag: "Chats", archived: true, page: 1 })
    assert.deepStrictEqual(parsed("!chats 2 ALL"), { _tag: "Chats", archived: true, page: 2 })
    assert.deepStrictEqual(parsed("!rename x"), { _tag: "Rename", title: "x" })
    assert.deepStrictEqual(parsed("!archive"), { _tag: "Archive" })
    assert.deepStrictEqual(parsed("!register"), { _tag: "Register", title: undefined })
    assert.deepStrictEqual(parsed("!register x y"), { _tag: "Register", title: "x y" })
    assert.deepStrictEqual(parsed("!unarchive"), { _tag: "Unarchive" })
    assert.deepStrictEqual(parsed("!settings"), { _tag: "Settings" })
    assert.deepStrictEqual(parsed("!set backlog skip"), { _tag: "Set", name: "backlog", value: "skip" })
    assert.deepStrictEqual(parsed("!status"), { _tag: "Status" })
  })

  it.each([
    "!set Members Room",
    "!set members = room",
    "!set members=room",
    "!set  members   room  "
  ])("reads a setting and its value: %j", (body) => {
    assert.deepStrictEqual(parsed(body), { _tag: "Set", name: "members", value: "room" })
  })

  it("reads `default` as no value", () => {
    assert.deepStrictEqual(parsed("!set backlog default"), { _tag: "Set", name: "backlog", value: undefined })
  })

  it.each([
    ["!set", "Which setting? There are backlog, mention, members and redactions."],
    [
      "!set backlgo skip",
      `There is no setting "backlgo". Did you mean backlog? There are backlog, mention, members and redactions.`
    ],
    ["!set colour blue", `There is no setting "colour". There are backlog, mention, members and redactions.`],
    ["!set constructor x", `There is no setting "constructor". There are backlog, mention, members and redactions.`],
    ["!set backlog", "The value is missing: backlog can be answer, newest, skip or default."],
    ["!set backlog skpi", `backlog cannot be "skpi". Did you mean skip? It can be answer, newest, skip or default.`],
    ["!set backlog [x](y)", `backlog cannot be "xy". It can be answer, newest, skip or default.`],
    ["!set backlog skip it", `A setting has one value, but there are more words after "skip".`]
  ])("says what is wrong with %j", (body, expected) => assert.strictEqual(problem(body), expected))

  it("reads names in any case, and with the punctuation of a sentence", () => {
    assert.deepStrictEqual(parsed("!STATUS"), { _tag: "Status" })
    assert.deepStrictEqual(parsed("!help?"), { _tag: "Help", topic: undefined })
  })

  it("reads any prefix", () => {
    assert.deepStrictEqual(parsed("!homing status", "!homing "), { _tag: "Status" })
    assert.deepStrictEqual(parsed("/rename a b", "/"), { _tag: "Rename", title: "a b" })
    assert.deepStrictEqual(parsed("(.*)status", "(.*)"), { _tag: "Status" })
  })

  it("reads the first line only", () => {
    assert.deepStrictEqual(parsed("!rename Plans\nand what I wanted to say"), { _tag: "Rename", title: "Plans" })
    assert.deepStrictEqual(parsed("!archive \r\nthanks"), { _tag: "Archive" })
  })

  it.each([
    ["!rename My new title", "My new title"],
    ["!rename   Bob's  chat ", "Bob's chat"],
    [`!rename "My new title"`, "My new title"],
    [`!rename 'My "new" title'`, `My "new" title`],
    [`!rename "a \\"b\\" \\\\ c"`, `a "b" \\ c`],
    ["!rename “Curly quotes”", "Curly quotes"],
    ["!rename C:\\temp", "C:\\temp"],
    ["!rename evil\u202etitle\u0000here", "eviltitle here"]
  ])("takes the title of %j", (body, title) => assert.deepStrictEqual(parsed(body), { _tag: "Rename", title }))

  it("says what is wrong with a title", () => {
    assert.match(problem("!rename"), /missing/)
    assert.match(problem(`!rename ""`), /missing/)
    assert.match(problem("!rename \u202e\u0000"), /missing/)
    assert.match(problem(`!rename "open`), /never closed/)
    assert.match(problem(`!rename "ends with \\"`), /never closed/)
    assert.match(problem(`!register "one" two`), /more after/)
    assert.match(problem(`!rename ${"x".repeat(maximumTitleLength + 1)}`), /too long/)
    assert.strictEqual(parseCommand("!", `!rename ${"x".repeat(maximumTitleLength)}`)._tag, "Parsed")
  })

  it("says so when there is too much, and repeats no markup", () => {
    assert.match(problem("!archive [click](http://x) `now`"), /takes nothing.*"clickhttpx now"/)
    assert.match(problem("!status now"), /takes nothing/)
    assert.match(problem("!chats of mine"), /"all".*number of a page.*"of mine"/)
    assert.match(problem("!help me please"), /one command/)
  })

  it.each([
    ["!hlep", "help"],
    ["!chat", "chats"],
    ["!reanme Title", "rename"],
    ["!statsu", "status"],
    ["!regsiterr", "register"],
    ["!weather", undefined],
    ["!ab", undefined],
    ["!lp", undefined],
    ["!constructor", undefined],
    ["!привет", undefined]
  ])("suggests for %j: %s", (body, name) => assert.strictEqual(suggestion(body), name))

  it("takes a responder by its name, where there are several, and says which there are", () => {
    const read = (body: string) => parseCommand("!", body, several)
    const set = (value: string | undefined): CommandReading => ({
      _tag: "Parsed",
      command: { _tag: "Set", name: "responder", value }
    })
    assert.deepStrictEqual(read("!set responder Night-Owl"), set("night-owl"))
    assert.deepStrictEqual(read("!set responder=echo"), set("echo"))
    assert.deepStrictEqual(read("!set responder default"), set(undefined))
    const problem = (body: string) => {
      const reading = read(body)
      return reading._tag === "Misused" ? reading.problem : reading._tag
    }
    assert.strictEqual(
      problem("!set responder ehco"),
      "responder cannot be \"ehco\". Did you mean echo? It can be echo, night-owl or default."
    )
    assert.include(problem("!set responder constructor"), "It can be echo, night-owl or default.")
    assert.include(problem("!set respnoder echo"), "Did you mean responder?")
    assert.include(problem("!set responder"), "responder can be echo, night-owl or default.")
    const alone = parseCommand("!", "!set responder echo")
    assert.include(
      alone._tag === "Misused" ? alone.problem : alone._tag,
      "There is no setting \"responder\". There are backlog"
    )
  })

  it("repeats a long word only in part", () => {
    const reading = parseCommand("!", `!${"x".repeat(60_000)}`)
    assert.deepStrictEqual(reading, { _tag: "Unknown", typed: "x".repeat(32), suggestion: undefined })
  })

  const anyText = Arbitrary.schema(Schema.String)
  const commandLike = Arbitrary.all([
    oneOf("!", "/", "!homing ", "\\", "(", "\u{1f916}"),
    oneOf("", ...commandNames, "hlep", "HELP"),
    oneOf("", " ", "  ", "\t", "\n", "\u2028"),
    oneOf("", `"`, "'", "“", "\\", `"\\`, "\ud800", "\u202e", "\u0000"),
    anyText
  ]).pipe(Arbitrary.map(([prefix, name, gap, odd, rest]) => ({ prefix, body: `${prefix}${name}${gap}${odd}${rest}` })))

  it.prop("reads whatever people write, and always the same", [commandLike], ([{ body, prefix }]) => {
    const reading: CommandReading = parseCommand(prefix, body)
    assert.include(["NotACommand", "Parsed", "Unknown", "Misused"], reading._tag)
    assert.deepStrictEqual(parseCommand(prefix, body), reading)
    if (reading._tag === "Parsed" && reading.command._tag === "Rename") {
      assert.strictEqual(cleanTitle(reading.command.title), reading.command.title)
      assert.isNotEmpty(reading.command.title)
    }
  }, { arbitrary: { runs: 1000 } })

  const line = Arbitrary.all([anyText, oneOf("", `"`, "\\", "\\\"", "'", "”", "🦊")]).pipe(
    Arbitrary.map(([text, odd]) => `x${text.slice(0, 50)}${odd}`.replace(/[\r\n]/g, " "))
  )

  it.prop("gives back what was quoted", [line, oneOf(`""`, "''", "“”", "‘’")], ([title, quotes]) => {
    const [open, close = ""] = [...quotes]
    const escaped = title.replaceAll("\\", "\\\\").replaceAll(close, `\\${close}`)
    assert.deepStrictEqual(parsed(`!rename ${open}${escaped}${close}`), { _tag: "Rename", title: cleanTitle(title) })
  }, { arbitrary: { runs: 1000 } })
})

describe("helpText", () => {
  it("lists every command as it is typed here", () => {
    const help = helpText("!homing ")
    for (const name of commandNames) assert.include(help, `\`!homing ${name}`)
  })

  it.each(commandNames)("gives an example of %s that reads as that command", (name) => {
    for (const prefix of ["!", "/", "!homing "]) {
      const example = exampleOf(prefix, name)
      assert.strictEqual(parsed(example, prefix)._tag.toLowerCase(), name)
      assert.include(helpText(prefix, name), example)
      assert.include(helpText(prefix), example)
    }
  })

  it("explains one command, with or without its prefix", () => {
    assert.include(helpText("!", "rename"), "new title")
    assert.notInclude(helpText("!", "rename"), "!archive")
    assert.strictEqual(helpText("!", "!Rename"), helpText("!", "rename"))
  })

  it.each(commandNames)("tells what the example of %s does, and not only how it is typed", (name) => {
    const example = helpText("!", name).split("\n").find((line) => line.startsWith("Example:"))
    assert.match(example ?? "", /^Example: `[^`]+` \S.{15,}\.$/)
  })

  it("explains the settings, all together and one by one", () => {
    for (const name of settingNames()) {
      assert.include(helpText("!"), `\`${name}\``)
      for (const value of valuesOf(name)) {
        assert.include(helpText("!", "set"), `  - \`${value}\`: `)
        assert.include(helpText("!", name), `  - \`${value}\`: `)
      }
    }
    assert.notInclude(helpText("!", "backlog"), "mention")
    assert.include(helpText("!homing ", "backlog"), "`!homing set <setting> <value>`")
  })

  it("explains who can answer, where several can", () => {
    assert.include(helpText("!", undefined, several), "`responder` (who of me answers here)")
    for (const topic of ["set", "responder"]) {
      assert.include(
        helpText("!", topic, several),
        "- `responder`: who of me answers here\n  - `echo`: I say what you say\n"
      )
    }
    assert.notInclude(helpText("!"), "responder")
    assert.include(helpText("!", "responder"), "There is no such command.")
  })

  it("lists all commands for a topic that is none, and does not repeat it", () => {
    const help = helpText("!", "[click](http://x)")
    assert.include(help, "There is no such command.")
    assert.include(help, "!archive")
    assert.notInclude(help, "click")
  })

  it("suggests what may have been meant", () => {
    assert.include(helpText("!", "!renam"), "There is no such command. Did you mean rename?")
    assert.include(helpText("!", "backlg"), "Did you mean backlog?")
    assert.include(helpText("!", "nope"), "There is no such command.\n")
  })
})

describe("cleanTitle", () => {
  it.each([
    ["  two \r\n\t words\u0007 ", "two words"],
    ["abc\u202edef\u2066", "abcdef"],
    ["\u200f\u0000", ""],
    ["family 👨‍👩‍👧", "family 👨‍👩‍👧"],
    ["half \ud83e", "half \ufffd"]
  ])("makes one plain line of %j", (text, title) => assert.strictEqual(cleanTitle(text), title))

  it("cuts without halving a character", () => {
    const title = cleanTitle(`x${"🦊".repeat(maximumTitleLength)}`)
    assert.strictEqual(title, `x${"🦊".repeat((maximumTitleLength - 2) / 2)}`)
  })

  it.prop(
    "is never too long, and changes nothing the second time",
    [Schema.String, oneOf(1, 50, 400)],
    ([text, times]) => {
      const title = cleanTitle(text.repeat(times))
      assert.isAtMost(title.length, maximumTitleLength)
      assert.strictEqual(cleanTitle(title), title)
    }
  )
})
