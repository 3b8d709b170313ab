import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { openSealedFile, sendPlainPicture, sendSealedPicture, storedBytes } from "../programs/SdkFiles.ts"
import { type SdkPerson, sdkPersonAt } from "../programs/SdkPerson.ts"
import { botOf, startBot, startReadyBot } from "./Bot.ts"
import { makeAccount, synapse } from "./Homeserver.ts"
import { scenario } from "./Scenario.ts"

const receipt = botOf("examples/receipt.ts")

const picture = { name: "cat.png", bytes: Uint8Array.from({ length: 300_000 }, (_, index) => index % 256) }

/** Alice in a room with a bot, which has greeted. */
const aRoom = Effect.fn("aRoom")(function*(bot: string, encrypted: boolean) {
  const { localpart, password } = yield* makeAccount("alice")
  const alice = yield* sdkPersonAt({ url: synapse.url, user: localpart, password })
  const room = yield* alice.createRoom("Post office", bot, encrypted)
  yield* alice.greetingIn(room)
  return { alice, room }
})

const filesIn = (person: SdkPerson, room: string) =>
  person.said(room).filter((event) => event.getContent()["msgtype"] === "m.file")

const fileIn = (person: SdkPerson, room: string) => person.until(() => filesIn(person, room)[0])

describe("files", () => {
  it.live("pass both ways in an encrypted room, and Synapse has nothing of them in clear", () =>
    Effect.gen(function*() {
      const { account, environment } = yield* scenario()
      yield* startReadyBot(environment, receipt)
      const { alice, room } = yield* aRoom(account.userId, true)
      const answer = yield* alice.answerTo(room, yield* sendSealedPicture(alice, room, picture))
      const body = String(answer.getContent()["body"])
      assert.include(body, "cat.png\n300000 bytes\nSHA-256 ")
      const { bytes, stored } = yield* openSealedFile(alice, yield* fileIn(alice, room))
      assert.strictEqual(new TextDecoder().decode(bytes), body)
      assert.notInclude(new TextDecoder().decode(stored), "SHA-256")
    }))

  it.live("pass both ways in a plain room", () =>
    Effect.gen(function*() {
      const { account, environment } = yield* scenario()
      yield* startReadyBot(environment, receipt)
      const { alice, room } = yield* aRoom(account.userId, false)
      yield* sendPlainPicture(alice, room, picture)
      const sent = yield* fileIn(alice, room)
      const stored = yield* storedBytes(alice, sent.getContent()["url"])
      assert.include(new TextDecoder().decode(stored), "cat.png\n300000 bytes\nSHA-256 ")
    }))

  for (const place of ["upload:after", "Store.outbox.uploaded:after", "send message:after:3"]) {
    it.live(`are sent once, and can be opened, when the bot is killed at ${place}`, () =>
      Effect.gen(function*() {
        const { account, environment } = yield* scenario()
        // Its greeting, the words of its answer, and its file are what it sends.
        const first = yield* startBot({ ...environment, HOMING_CHAOS_KILL_AT: place }, receipt)
        const { alice, room } = yield* aRoom(account.userId, true)
        yield* sendSealedPicture(alice, room, picture)
        assert.strictEqual((yield* first.exit).signal, "SIGKILL")
        yield* startReadyBot(environment, receipt)
        const { bytes } = yield* openSealedFile(alice, yield* fileIn(alice, room))
        assert.include(new TextDecoder().decode(bytes), "300000 bytes")
        // An answer to what is asked after it comes after everything that was still to be said.
        yield* alice.answerTo(room, yield* alice.say(room, "and now?"))
        assert.lengthOf(filesIn(alice, room), 1)
        assert.deepStrictEqual(alice.unreadable(room), [])
      }))
  }
})
