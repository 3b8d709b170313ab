import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { foreignMarker, maximumTitleLength } from "../../src/domain/Chat.ts"
import { ChatSettings, readSettings } from "../../src/domain/ChatSettings.ts"
import { Marker, markerOf, readMarker } from "../../src/domain/Marker.ts"
import { bot, chat, hostileJson, marker, oneOf } from "./Reconciliation/World.ts"

const fields = Object.keys(marker("a", "c1"))

describe("readMarker", () => {
  it("reads back the marker of a bound chat, also after the wire", () => {
    const written = markerOf(bot, chat("c1", "a", { title: "x".repeat(maximumTitleLength) }))
    const reading = readMarker(JSON.parse(JSON.stringify(written)))
    assert.deepStrictEqual(reading._tag === "Valid" ? reading.marker : reading, written)
    assert.strictEqual(written?.title.length, maximumTitleLength)
  })

  it.each([undefined, null, {}])("finds no marker in %j", (content) => {
    assert.deepStrictEqual(readMarker(content), { _tag: "NoMarker" })
  })

  it("knows a newer version whatever else it holds, and no other version", () => {
    assert.deepStrictEqual(readMarker({ version: 2, chat_id: [] }), { _tag: "NewerVersion", version: 2 })
    assert.deepStrictEqual(readMarker({ ...marker("a", "c1"), version: 0 }), { _tag: "Malformed" })
    assert.deepStrictEqual(readMarker({ ...marker("a", "c1"), version: 1.5 }), { _tag: "Malformed" })
  })

  it.each<[string, unknown]>([
    ["title", "x".repeat(maximumTitleLength + 1)],
    ["revision", 0],
    ["revision", foreignMarker],
    ["revision", 1.5],
    ["bound_at", null],
    ["chat_id", "a b"],
    ["room_id", "!nowhere"],
    ["archived", 1]
  ])("refuses %s %j", (field, value) => {
    assert.deepStrictEqual(readMarker({ ...marker("a", "c1"), [field]: value }), { _tag: "Malformed" })
  })

  it.prop("reads anything without throwing, and takes nothing broken for valid", [
    oneOf(undefined, ...fields),
    hostileJson
  ], ([field, hostile]) => {
    const reading = readMarker(field === undefined ? hostile() : { ...marker("a", "c1"), [field]: hostile() })
    if (reading._tag === "Valid") assert.isTrue(Schema.is(Marker)(reading.marker))
  }, { arbitrary: { runs: 500 } })
})

describe("the settings in a marker", () => {
  it("come back as they were written, and a marker without any is as it always was", () => {
    const settings = { backlog: "skip", kept: { colour: "blue" } } as const
    const written = markerOf(bot, chat("c1", "a", { settings }))
    assert.deepInclude(written, { settings: { backlog: "skip", colour: "blue" } })
    const reading = readMarker(JSON.parse(JSON.stringify(written)))
    assert.deepStrictEqual(reading._tag === "Valid" ? readSettings(reading.marker.settings) : reading, settings)
    assert.notProperty(markerOf(bot, chat("c1", "a")), "settings")
  })

  it.prop("never cost the chat, whatever they are", [hostileJson], ([hostile]) => {
    const reading = readMarker({ ...marker("a", "c1"), settings: hostile() })
    assert.strictEqual(reading._tag, "Valid")
    if (reading._tag === "Valid") assert.isTrue(Schema.is(ChatSettings)(readSettings(reading.marker.settings)))
  })
})

describe("markerOf", () => {
  it("is none for a chat that no room shows, or whose room holds a marker that is not ours", () => {
    assert.strictEqual(markerOf(bot, chat("c1", null)), undefined)
    assert.strictEqual(markerOf(bot, chat("c1", "a", { markerRevision: foreignMarker })), undefined)
  })
})
