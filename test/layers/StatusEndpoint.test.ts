import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Layer } from "effect"
import { createServer } from "node:http"
import { AppConfig } from "../../src/layers/AppConfig.ts"
import { Health, type HealthState, whyNotReady } from "../../src/layers/Health.ts"
import { layerOn } from "../../src/layers/StatusEndpoint.ts"

/** A port of loopback that something listens on until the scope closes. */
const busyPort = Effect.acquireRelease(
  Effect.callback<{ port: number; close: () => void }>((resume) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      resume(Effect.succeed({ port, close: () => server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

const freePort = Effect.scoped(Effect.map(busyPort, ({ port }) => port))

const get = (port: number, path: string) =>
  Effect.promise(async () => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return { status: response.status, body: await response.text() }
  })

const surroundings = Layer.merge(Health.layer, AppConfig.layerTest({ syncTimeout: Duration.seconds(30) }))

const running: HealthState = { phase: "running", lastSyncAt: 1_000_000 }
const why = (state: HealthState, later: number) => whyNotReady(state, 1_000_000 + later, Duration.seconds(30))

describe("readiness", () => {
  it("comes with the sync loop and its first answer", () => {
    assert.include(why({ phase: "starting", lastSyncAt: undefined }, 0), "starting")
    assert.include(why({ ...running, phase: "reconciling" }, 0), "reconciling")
    assert.include(why({ ...running, lastSyncAt: undefined }, 0), "not answered a sync request yet")
    assert.isUndefined(why(running, 0))
    assert.include(why({ ...running, phase: "stopping" }, 0), "stopping")
  })

  it("outlasts a quiet long poll, and ends when the homeserver is silent for longer", () => {
    assert.isUndefined(why(running, 70_000))
    assert.include(why(running, 71_000), "for 71 seconds")
  })
})

describe("StatusEndpoint", () => {
  it.live("answers /healthz always, and /readyz once the bot can be relied on", () =>
    Effect.gen(function*() {
      const port = yield* freePort
      yield* Effect.gen(function*() {
        yield* Layer.build(layerOn(port))
        const health = yield* Health
        assert.strictEqual((yield* get(port, "/healthz")).status, 200)
        const early = yield* get(port, "/readyz")
        assert.strictEqual(early.status, 503)
        assert.deepInclude(JSON.parse(early.body), { ready: false, phase: "starting", reason: "The bot is starting." })
        yield* health.set({ phase: "running" })
        yield* health.set({ lastSyncAt: yield* Clock.currentTimeMillis })
        const ready = yield* get(port, "/readyz")
        assert.strictEqual(ready.status, 200)
        assert.deepInclude(JSON.parse(ready.body), { ready: true, phase: "running" })
        assert.strictEqual((yield* get(port, "/elsewhere")).status, 404)
      }).pipe(Effect.provide(surroundings))
    }))

  it.live("says plainly that its port is taken", () =>
    Effect.gen(function*() {
      const { port } = yield* busyPort
      const error = yield* Effect.flip(Layer.build(layerOn(port))).pipe(Effect.provide(surroundings))
      assert.deepInclude(error, { _tag: "StatusPortUnavailable", port, inUse: true })
      assert.match(error.message, /another program uses that port\. Choose another with --status-port/)
    }))
})
