import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { once } from "node:events"
import { createServer, type Socket } from "node:net"
import { exchange } from "../../../src/layers/MatrixClient/Exchange.ts"
import { noAnswerOf } from "../../../src/layers/MatrixClient/NoAnswer.ts"

const bounds = { deadline: Duration.seconds(5), limit: 1000, redirects: "same-origin" } as const

/** What a person is told who asks there. */
const told = (url: string) => Effect.flip(exchange(new URL(url), {}, bounds))

/** Something on loopback that speaks no HTTP. */
const aServer = (speak: (socket: Socket) => void) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = createServer((socket) => speak(socket.on("error", () => {}))).listen(0, "127.0.0.1")
      await once(server, "listening")
      return server
    }),
    (server) => Effect.sync(() => server.close())
  ).pipe(Effect.map((server) => {
    const address = server.address()
    return `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
  }))

const withCode = (code: string) => Object.assign(new Error("Bearer syt_secret"), { code })

describe("why a request brought no answer", () => {
  it.live("is something that does not speak HTTP, or not TLS", () =>
    Effect.gen(function*() {
      const host = yield* aServer((socket) => socket.end("220 mail.example.org ESMTP\r\n"))
      assert.strictEqual((yield* told(`http://${host}`)).detail, "what answers there does not speak HTTP.")
      assert.strictEqual(
        (yield* told(`https://${host}`)).detail,
        "what answers there does not speak TLS; is its address http:// in place of https://?"
      )
    }))

  it.live("is nobody there, no such name, or a connection that is cut", () =>
    Effect.gen(function*() {
      const closed = yield* Effect.scoped(aServer(() => {}))
      assert.strictEqual((yield* told(`http://${closed}`)).detail, "the connection was refused.")
      assert.match((yield* told("http://homeserver.invalid")).detail, /DNS/)
      const cutting = yield* aServer((socket) => socket.destroy())
      assert.strictEqual((yield* told(`http://${cutting}`)).detail, "the connection was cut.")
    }))

  it.each(
    [
      ["CERT_HAS_EXPIRED", "its TLS certificate has expired."],
      ["ERR_TLS_CERT_ALTNAME_INVALID", "its TLS certificate is for another name."],
      ["DEPTH_ZERO_SELF_SIGNED_CERT", "its TLS certificate is self-signed, and this machine does not trust it."],
      [
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        "its TLS certificate comes from an authority that this machine does not trust."
      ],
      ["ERR_SSL_SOMETHING", "its TLS certificate or connection was not accepted (ERR_SSL_SOMETHING)."],
      ["EWHATEVER", "the request failed (EWHATEVER)."]
    ] as const
  )("is told in words for %s, without those of the error", (code, words) => {
    const { detail, final } = noAnswerOf(withCode(code))
    assert.isTrue(detail.startsWith(words), detail)
    assert.notInclude(detail, "syt_secret")
    assert.isFalse(final)
  })

  it("is the name of the error at least", () => {
    assert.strictEqual(noAnswerOf(new RangeError("Bearer syt_secret")).detail, "the request failed (RangeError).")
    assert.strictEqual(noAnswerOf("syt_secret").detail, "the request failed (for an unknown reason).")
  })
})
