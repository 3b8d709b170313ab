import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { Homeserver } from "../../../src/layers/Homeserver.ts"
import { shapeOf } from "../../../src/layers/Homeserver/Unrecognized.ts"
import { caller } from "./Caller.ts"

/** A homeserver, and what it logs. */
const listening = () => {
  const logged: Array<unknown> = []
  const recorder = Logger.make<unknown, void>((entry) => {
    const { annotations, level, message } = Logger.formatStructured.log(entry)
    logged.push({ level, message, ...annotations })
  })
  return { logged, world: Layer.provideMerge(Homeserver.layer(), Logger.layer([recorder])) }
}

describe("what the homeserver does not do", () => {
  it.effect("is warned of once for each method and kind of path, without the ids in it, and told where clients only try", () => {
    const { logged, world } = listening()
    return Effect.gen(function*() {
      const call = caller(yield* Homeserver)
      for (const room of ["!one:homing.test", "%21two%3Ahoming.test"]) {
        assert.strictEqual((yield* call("GET", `/rooms/${room}/timestamp_to_event`)).status, 404)
        assert.strictEqual((yield* call("GET", `/rooms/${room}/timestamp_to_event`)).status, 404)
      }
      yield* call("POST", "/account/whoami")
      yield* call("GET", "/_matrix/client/versions")
      yield* call("GET", "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports")
      assert.deepStrictEqual(logged, [
        {
          level: "WARN",
          message: "homeserver_unrecognized",
          method: "GET",
          path: "/_matrix/client/v3/rooms/{}/timestamp_to_event"
        },
        {
          level: "WARN",
          message: "homeserver_unrecognized",
          method: "POST",
          path: "/_matrix/client/v3/account/whoami"
        },
        {
          level: "INFO",
          message: "homeserver_unrecognized",
          method: "GET",
          path: "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports"
        }
      ])
    }).pipe(Effect.provide(world))
  })

  it.effect("is warned of a hundred times at most, whatever a client makes up", () => {
    const { logged, world } = listening()
    return Effect.gen(function*() {
      const call = caller(yield* Homeserver)
      const name = (n: number) => String.fromCharCode(97 + n % 26, 97 + Math.floor(n / 26))
      yield* Effect.forEach(Array.from({ length: 150 }, (_, n) => n), (n) => call("GET", `/nothing/${name(n)}`))
      assert.lengthOf(logged, 100)
    }).pipe(Effect.provide(world))
  })

  it("keeps the words of a path and nothing that stands for one thing", () => {
    assert.strictEqual(
      shapeOf("/_matrix/client/unstable/org.matrix.msc3575/sync"),
      "/_matrix/client/unstable/org.matrix.msc3575/sync"
    )
    assert.strictEqual(
      shapeOf("/_matrix/client/v3/user/@anna:example.org/openid/request_token"),
      "/_matrix/client/v3/user/{}/openid/request_token"
    )
    assert.strictEqual(shapeOf(`/_matrix/${"long".repeat(100)}/%zz/4711`), "/_matrix/{}/{}/{}")
  })
})
