import { assert, describe, it, layer } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import { type Attachment, type Upload } from "../../../src/domain/Attachment.ts"
import type { MatrixFailure } from "../../../src/domain/Errors.ts"
import { MxcUri } from "../../../src/domain/Ids.ts"
import { FaultEffect } from "../../../src/layers/Homeserver/Faults.ts"
import type { Person } from "../../../src/layers/Homeserver/Person.ts"
import { layer as sdkLayer, layerMemory, MatrixMedia, MatrixMessages } from "../../../src/layers/MatrixClient.ts"
import { openFile, sealFile } from "../../../src/layers/MatrixClient/FileCrypto.ts"
import * as HttpTransport from "../../../src/layers/MatrixClient/HttpTransport.ts"
import { Transport } from "../../../src/layers/MatrixClient/Transport.ts"
import { type ContractOptions, livesOf, message, ofModel, roomWith, started, withStore } from "./Harness.ts"
import { scriptedServer } from "./ScriptedServer.ts"
import { behindDoor, inProcess, World } from "./World.ts"

const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 256)

const uploadBy = (person: Person, content: Uint8Array) =>
  Effect.map(person.request("POST", "/_matrix/media/v3/upload", content), (answer) => {
    assert(typeof answer === "object" && answer !== null && "content_uri" in answer)
    return MxcUri.make(String(answer.content_uri))
  })

const attachment = (url: MxcUri, more: Partial<Attachment> = {}): Attachment => ({
  kind: "file",
  name: "file",
  mimetype: undefined,
  size: undefined,
  url,
  secrets: undefined,
  ...more
})

const fileMessage = (room: Parameters<typeof message>[0], transaction: string) => {
  const { content, ...rest } = message(room, transaction, "cat.png")
  return { ...rest, content: { ...content, msgtype: "m.image", filename: "cat.png" } }
}

const mediaContract = <R, E>(name: string, options: ContractOptions<R, E>) => {
  const asBot = livesOf(options)

  const withFile = <A, E2, R2>(
    test: (given: {
      readonly alice: Person
      readonly media: MatrixMedia["Service"]
      readonly url: MxcUri
    }) => Effect.Effect<A, E2, R2>
  ) =>
    Effect.gen(function*() {
      const account = yield* (yield* World).account("bot")
      const alice = yield* (yield* World).person("alice")
      const url = yield* uploadBy(alice, bytes)
      return yield* asBot(
        account,
        Effect.gen(function*() {
          yield* started()
          return yield* test({ alice, media: yield* MatrixMedia, url })
        })
      )
    }).pipe(withStore)

  layer(options.world, { excludeTestServices: true })(`${name}: files`, (it) => {
    it.effect("reads a file with the account's token, and decrypts one that was encrypted", () =>
      withFile(Effect.fnUntraced(function*({ alice, media, url }) {
        assert.deepStrictEqual(yield* media.download(attachment(url), { limit: bytes.length }), bytes)
        const { ciphertext, secrets } = sealFile(bytes)
        const sealed = attachment(yield* uploadBy(alice, ciphertext), { secrets: Redacted.make(secrets) })
        assert.deepStrictEqual(yield* media.download(sealed, { limit: bytes.length }), bytes)
        const asked = (yield* (yield* ofModel).requests).filter(({ path }) => path.includes("/download/"))
        assert.isTrue(asked.length > 0 && asked.every(({ path }) => path.startsWith("/_matrix/client/v1/media/")))
      })))

    it.effect("refuses a file that is not the one that was encrypted", () =>
      withFile(Effect.fnUntraced(function*({ alice, media }) {
        const { ciphertext, secrets } = sealFile(bytes)
        const changed = Uint8Array.from(ciphertext, (byte, index) => index === 7 ? byte ^ 1 : byte)
        const url = yield* uploadBy(alice, changed)
        const broken = yield* Effect.flip(
          media.download(attachment(url, { secrets: Redacted.make(secrets) }), { limit: bytes.length })
        )
        assert.strictEqual(broken._tag, "AttachmentBroken")
      })))

    it.effect("refuses a file that is larger than it may be, whatever it is said to be", () =>
      withFile(Effect.fnUntraced(function*({ media, url }) {
        for (const limit of [bytes.length - 1, 70_000, 10]) {
          const refusal = yield* Effect.flip(media.download(attachment(url, { size: 1 }), { limit }))
          assert.deepInclude(refusal, { _tag: "AttachmentTooLarge", limit })
        }
        const before = (yield* (yield* ofModel).requests).length
        const refusal = yield* Effect.flip(media.download(attachment(url, { size: 1e6 }), { limit: 1e5 }))
        assert.strictEqual(refusal._tag, "AttachmentTooLarge")
        const asked = (yield* (yield* ofModel).requests).slice(before).filter(({ path }) => path.includes("/download/"))
        assert.deepStrictEqual(asked, [], "what is said to be too large is not asked for")
      })))

    it.effect("says so when there is no such file, and asks again when the server stumbles", () =>
      withFile(Effect.fnUntraced(function*({ media, url }) {
        const nowhere = MxcUri.make("mxc://example.org/nothing")
        const refusal = yield* Effect.flip(media.download(attachment(nowhere), { limit: 100 }))
        assert.deepInclude(refusal, { _tag: "MatrixFailure", reason: { _tag: "NotFound" } })
        yield* (yield* ofModel).inject({ path: "/download/", effect: FaultEffect.Reset() })
        assert.deepStrictEqual(yield* media.download(attachment(url), { limit: bytes.length }), bytes)
      })))

    it.effect("asks a server of old at its own place, and there without the token", () =>
      withFile(Effect.fnUntraced(function*({ media, url }) {
        const model = yield* ofModel
        const unrecognized = { errcode: "M_UNRECOGNIZED", error: "Unrecognized request" }
        const old = FaultEffect.Answer({ status: 404, body: unrecognized })
        yield* model.inject({ path: "/_matrix/client/v1/media/", effect: old })
        const before = (yield* model.requests).length
        assert.deepStrictEqual(yield* media.download(attachment(url), { limit: bytes.length }), bytes)
        const asked = (yield* model.requests).slice(before).filter(({ path }) => path.includes("/download/"))
        assert.deepStrictEqual(asked.map(({ path, user }) => [path.split("/download/")[0], user !== undefined]), [
          ["/_matrix/client/v1/media", true],
          ["/_matrix/media/v3", false]
        ])
      })))

    it.effect("uploads a file once for all attempts to send it", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        const kept: Array<Upload> = []
        const send = (upload: Upload) =>
          Effect.flatMap(MatrixMessages, (messages) =>
            messages.sendFile(fileMessage(room, "txn-file"), {
              upload,
              file: Effect.succeed({ bytes, mimetype: "image/png" }),
              keep: (upload) => Effect.sync(() => void kept.push(upload))
            }))
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            const event = yield* send({ _tag: "Waiting" })
            assert.lengthOf(kept, 1)
            assert.strictEqual(yield* send(kept[0] ?? { _tag: "Waiting" }), event)
            assert.lengthOf(kept, 1)
          })
        )
        const [sent, ...more] = (yield* alice.messages(room)).filter(({ content }) => content["msgtype"] === "m.image")
        assert.lengthOf(more, 0)
        assert.deepInclude(sent?.content, { filename: "cat.png", url: kept[0]?._tag === "InClear" ? kept[0].url : "" })
        assert.deepStrictEqual(
          yield* alice.request(
            "GET",
            String(sent?.content["url"]).replace("mxc:/", "/_matrix/client/v1/media/download")
          )
            .pipe(Effect.map((body) => body instanceof Uint8Array ? new Uint8Array(body) : body)),
          bytes
        )
      }).pipe(withStore))

    it.effect("uploads nothing in clear for an encrypted room, and refers to nothing that was", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        yield* alice.setState(room, "m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" })
        const inClear: Upload = { _tag: "InClear", url: yield* uploadBy(alice, bytes) }
        const kept: Array<Upload> = []
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            yield* (yield* MatrixMessages).sendFile(fileMessage(room, "txn-file"), {
              upload: inClear,
              file: Effect.succeed({ bytes, mimetype: "image/png" }),
              keep: (upload) => Effect.sync(() => void kept.push(upload))
              // The client in memory has no keys for the message.
            }).pipe(Effect.ignore)
          })
        )
        const [upload, ...more] = kept
        assert.lengthOf(more, 0)
        assert(upload?._tag === "Sealed")
        const [server = "", id = ""] = upload.url.slice("mxc://".length).split("/")
        const stored = yield* alice.request("GET", `/_matrix/client/v1/media/download/${server}/${id}`)
        assert(stored instanceof Uint8Array)
        assert.notDeepEqual(new Uint8Array(stored), bytes)
        assert.deepStrictEqual(openFile(stored, upload), bytes)
        const said = JSON.stringify((yield* alice.messages(room)).filter(({ sender }) => sender === account.userId))
        assert.notInclude(said, "cat.png")
        assert.notInclude(said, upload.key)
      }).pipe(withStore))

    it.effect("says nothing of an encrypted file to a room that passes for a plain one", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const { alice, room } = yield* roomWith(account)
        const { secrets } = sealFile(bytes)
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            const refusal = yield* (yield* MatrixMessages).sendFile<MatrixFailure>(fileMessage(room, "txn-file"), {
              upload: { _tag: "Sealed", url: MxcUri.make("mxc://example.org/abc"), ...secrets },
              file: Effect.die("nothing is to be uploaded"),
              keep: () => Effect.die("nothing is to be kept")
            }).pipe(Effect.flip)
            assert.strictEqual(refusal.reason._tag, "Unreachable", "it is tried again")
          })
        )
        assert.notInclude(JSON.stringify(yield* alice.messages(room)), "cat.png")
      }).pipe(withStore))
  })
}

mediaContract("the Matrix client in memory", { world: inProcess, client: layerMemory, onModel: true })
mediaContract("the Matrix client on matrix-js-sdk", { world: behindDoor, client: sdkLayer, onModel: true })

describe("what is carried over HTTP", () => {
  const download = (url: string, limit: number) =>
    Effect.flatMap(Transport, (transport) =>
      transport.carry({
        homeserverUrl: url,
        method: "GET",
        path: "/_matrix/client/v1/media/download/a/b",
        accessToken: Redacted.make("syt_secret"),
        deadline: Duration.seconds(20),
        limit
      })).pipe(Effect.provide(HttpTransport.layer))

  it.live("is cut off when there is more of it than may be, and is not read to its end", () =>
    Effect.gen(function*() {
      let written = 0
      let closed = false
      const server = yield* scriptedServer(() => (response) => {
        // It says that it is short, and goes on without end.
        response.writeHead(200, { "content-type": "image/png" })
        response.on("close", () => {
          closed = true
        })
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536))) written += 65_536
        }
        response.on("drain", more)
        more()
      })
      const refusal = yield* Effect.flip(download(server.url, 200_000))
      assert.isTrue(refusal.tooLarge)
      yield* Effect.sleep("10 millis").pipe(Effect.repeat({ until: () => closed }))
      assert.isBelow(written, 50_000_000)
    }), 20_000)

  it.live("goes nowhere else, and takes its token nowhere", () =>
    Effect.gen(function*() {
      const elsewhere = yield* scriptedServer(() => ({ status: 200, body: "x" }))
      const server = yield* scriptedServer(() => ({ status: 302, headers: { location: `${elsewhere.url}/x` } }))
      const refusal = yield* Effect.flip(download(server.url, 1000))
      assert.isTrue(refusal.final)
      assert.deepStrictEqual(elsewhere.asked, [])
    }))
})
