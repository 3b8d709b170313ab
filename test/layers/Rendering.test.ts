import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { EventId, RoomId, UserId } from "../../src/domain/Ids.ts"
import { text } from "../../src/domain/Message.ts"
import { answersTo, contentOf, statement, toMatrixHtml } from "../../src/layers/Rendering.ts"

const question = {
  eventId: EventId.make("$q"),
  roomId: RoomId.make("!tea:homing.test"),
  sender: UserId.make("@alice:homing.test"),
  threadRoot: undefined
}

/** What canonical JSON takes for it: JSON without spaces, in UTF-8 (Appendices, "Canonical JSON"). */
const bytesOf = (value: unknown): number => new TextEncoder().encode(JSON.stringify(value)).length

describe("Rendering", () => {
  it.effect("leaves plain text plain", () =>
    Effect.gen(function*() {
      assert.isUndefined(yield* toMatrixHtml("Hello, how are you?"))
    }))

  it.effect("renders what Matrix clients show", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* toMatrixHtml("**b** _i_ ~~s~~ `c`\n\n- one\n- two\n\n```ts\nlet x\n```"),
        "<p><strong>b</strong> <em>i</em> <del>s</del> <code>c</code></p>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n" +
          "<pre><code class=\"language-ts\">let x\n</code></pre>"
      )
    }))

  const hostile: ReadonlyArray<readonly [string, string]> = [
    ["a script", "x <script>alert(1)</script>"],
    ["an event handler", `<b onclick="alert(1)">x</b>`],
    ["a javascript link", "[x](javascript:alert(1)) [y](JaVaScRiPt:alert(1)) [z](data:text/html,x)"],
    ["an image from elsewhere", `![x](https://evil.test/pixel.png) <img src="https://evil.test/x">`],
    ["a style", `<span style="position:fixed">x</span><style>*{display:none}</style>`],
    ["a frame", `<iframe src="https://evil.test"></iframe><object data="x"></object><svg onload=alert(1)>`]
  ]
  for (const [what, markdown] of hostile) {
    it.effect(`lets no ${what} through`, () =>
      Effect.gen(function*() {
        const html = yield* toMatrixHtml(markdown)
        assert.notMatch(html ?? "", /script|onclick|onload|javascript|data:|<img|evil|style|iframe|object|svg/i)
      }))
  }

  it.effect("survives markdown that is made to break the renderer", () =>
    Effect.gen(function*() {
      for (const piece of [">", "1. ", "[", "*", "<", "![](", "`", "\n> - "]) {
        const content = yield* contentOf(text(piece.repeat(Math.floor(16_000 / piece.length))))
        assert.isString(content.body)
      }
    }))

  it.effect.prop(
    "keeps the body as it was written",
    [Arbitrary.schema(Schema.String)],
    ([body]) =>
      Effect.gen(function*() {
        const content = yield* contentOf(text(body))
        assert.strictEqual(content.body, body.toWellFormed())
      })
  )

  const pieces = [
    "\"",
    "\\",
    "\n",
    "\u0001",
    "\u007f",
    "\ud800",
    "ü",
    "漢",
    "😀",
    "👩‍🚀",
    "<b>",
    "&",
    "**x** ",
    "- one\n",
    "a"
  ]
  const hostileText = Arbitrary.all([
    Arbitrary.array(Arbitrary.schema(Schema.Literals(pieces)), { minLength: 1, maxLength: 3 }),
    Arbitrary.schema(Schema.Literals([1, 100, 3_000, 16_000, 44_000, 60_000]))
  ]).pipe(Arbitrary.map(([some, times]) => some.join("").repeat(times)))

  it.effect.prop(
    "keeps every event under the size limit, and cuts only what is too long",
    [hostileText],
    ([body]) =>
      Effect.gen(function*() {
        const id = (sigil: string) => sigil + "\u0001".repeat(250) + ":b.c"
        const asked = {
          eventId: EventId.make(id("$")),
          roomId: RoomId.make(id("!")),
          sender: UserId.make(id("@")),
          threadRoot: EventId.make(id("$"))
        }
        const [answer] = yield* answersTo(asked, [text(body)])
        assert.isAtMost(bytesOf(answer?.content), 48_000, "also when encryption makes it a third larger")

        const said = String(answer?.content["body"])
        const cut = said.indexOf("\n… (cut: too long for one message)")
        const written = body.toWellFormed()
        if (cut < 0) return assert.strictEqual(said, written)
        assert.isTrue(written.startsWith(said.slice(0, cut)) && said.isWellFormed())
        assert.isAbove(bytesOf(written), 35_000)
      })
  )

  it.effect("cuts a reply that is too long for an event, and says so", () =>
    Effect.gen(function*() {
      const content = yield* contentOf(text("ü".repeat(100_000)))
      assert.isBelow(bytesOf(content), 64_000)
      assert.match(content.body, /üü\n… \(cut: too long for one message\)$/)
    }))

  it.effect("fixes one transaction id for each reply", () =>
    Effect.gen(function*() {
      const once = yield* answersTo(question, [text("a"), text("b")])
      const again = yield* answersTo(question, [text("a"), text("b")])
      assert.deepStrictEqual(once, again)
      assert.strictEqual(new Set(once.map((_) => _.transactionId)).size, 2)
    }))

  it.effect("a statement mentions nobody and answers nothing", () =>
    Effect.gen(function*() {
      const { content } = yield* statement(question.roomId, "greeting", text("hello"))
      assert.deepStrictEqual(content, { msgtype: "m.text", body: "hello", "m.mentions": {} })
    }))
})
