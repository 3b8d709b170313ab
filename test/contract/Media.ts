import { assert, layer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { dig, text } from "../layers/Homeserver/Caller.ts"
import { asker, newClient, refusal, Server } from "./Server.ts"

/** The status of an upload; undefined when the connection was cut before there was one. */
const upload = (url: string, token: string, size: number): Effect.Effect<number | undefined> =>
  Effect.promise(() =>
    fetch(url, { method: "POST", headers: { authorization: `Bearer ${token}` }, body: Buffer.alloc(size) }).then(
      (response) => response.status,
      () => undefined
    )
  )

/** "Content Repository". */
export const mediaContract = <E>(name: string, server: Layer.Layer<Server, E>) =>
  layer(server, { excludeTestServices: true })(`${name}: media`, (it) => {
    it.effect("gives back what was uploaded, byte for byte, to who is signed in", () =>
      Effect.gen(function*() {
        const { baseUrl, serverName } = yield* Server
        const anna = yield* newClient("anna")
        const bytes = new Uint8Array([0, 255, 123, 10, 200])
        const uploaded = yield* anna.ask("POST", "/_matrix/media/v3/upload", {
          query: { filename: "note.bin" },
          body: bytes
        })
        const uri = text(uploaded.body, "content_uri")
        const place = uri.replace(`mxc://${serverName}/`, "")
        assert.notInclude(place, "/")
        const download = `/_matrix/client/v1/media/download/${serverName}/${place}`
        const given = yield* anna.ask("GET", download)
        assert.deepStrictEqual(given.body, bytes)
        assert.strictEqual(given.headers.get("content-type"), "application/octet-stream")
        assert.include(given.headers.get("content-disposition") ?? "", "attachment")
        assert.include(given.headers.get("content-disposition") ?? "", "note.bin")
        assert.strictEqual((yield* anna.ask("GET", `${download}/other.bin`)).status, 200)
        assert.deepStrictEqual(refusal(yield* asker(baseUrl)("GET", download)), [401, "M_MISSING_TOKEN"])
        const nothing = yield* anna.ask("GET", `/_matrix/client/v1/media/download/${serverName}/nothing`)
        assert.deepStrictEqual(refusal(nothing), [404, "M_NOT_FOUND"])
      }))

    it.effect("says how much it takes, and takes no more", () =>
      Effect.gen(function*() {
        const anna = yield* newClient("anna")
        const { body } = yield* anna.ask("GET", "/_matrix/client/v1/media/config")
        const size = Number(dig(body, "m.upload.size"))
        assert.isAbove(size, 0)
        const { baseUrl } = yield* Server
        const place = `${baseUrl}/_matrix/media/v3/upload`
        assert.strictEqual(yield* upload(place, anna.token, 1000), 200)
        // Synapse cuts the connection while it is still being sent.
        assert.oneOf(yield* upload(place, anna.token, size + 1_000_000), [413, undefined])
      }))
  })
