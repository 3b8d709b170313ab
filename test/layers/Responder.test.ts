import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Stream } from "effect"
import { receipt } from "../../examples/receipt.ts"
import { text } from "../../src/domain/Message.ts"
import type { MatrixMedia } from "../../src/layers/MatrixClient.ts"
import { OfferedResponders, Responder } from "../../src/layers/Responder.ts"

const silent = Layer.succeed(Responder, Responder.of({ respond: () => Stream.empty }))

describe("Responder.layerSeveral", () => {
  it.effect("tells which there are and what each means, the author's words first", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual([...(yield* OfferedResponders).meanings], [
        ["echo", "I repeat what you say"],
        ["silent", "I answer as silent does"]
      ])
      assert.strictEqual((yield* OfferedResponders).standard, "silent")
    }).pipe(Effect.provide(
      Responder.layerSeveral({ echo: Responder.layerEcho, silent }, {
        default: "silent",
        about: { echo: "I repeat what you say" }
      })
    )))

  it.effect("makes once what several of them are made of", () =>
    Effect.gen(function*() {
      class Model extends Context.Service<Model, { readonly id: number }>()("test/Model") {}
      let made = 0
      const model = Layer.effect(Model, Effect.sync(() => ({ id: ++made })))
      const speaker = (word: string) =>
        Layer.effect(
          Responder,
          Effect.map(Model, ({ id }) => Responder.of({ respond: () => Stream.make(text(`${word} ${id}`)) }))
        ).pipe(Layer.provide(model))
      yield* Layer.build(Responder.layerSeveral({ a: speaker("a"), b: speaker("b") }, { default: "a" }))
      assert.strictEqual(made, 1)
    }))

  it("takes what needs the files of people, and what does not", () => {
    const both: Layer.Layer<Responder, never, MatrixMedia> = Responder.layerSeveral(
      { echo: Responder.layerEcho, receipt },
      { default: "echo" }
    )
    assert.isTrue(Layer.isLayer(both))
  })

  it("refuses at once what cannot be a name", () => {
    assert.throws(
      () => Responder.layerSeveral({ Echo: Responder.layerEcho }, { default: "Echo" }),
      TypeError,
      "cannot be called \"Echo\""
    )
    // @ts-expect-error the default is one of the names
    assert.throws(() => Responder.layerSeveral({ echo: Responder.layerEcho }, { default: "dice" }), "called \"dice\"")
  })
})
