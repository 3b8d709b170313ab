import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { MatrixEvent } from "matrix-js-sdk/lib/matrix.js"
import { type SdkPerson, sdkPersonAt } from "../programs/SdkPerson.ts"
import { type Account, makeAccount, synapse } from "./Homeserver.ts"
import { scenario } from "./Scenario.ts"

/** A client of this account that encrypts, on a device of its own. */
const clientOf = ({ localpart, password }: Account) => sdkPersonAt({ url: synapse.url, user: localpart, password })

/** A room that this person encrypts and the bot has greeted in. */
const openSecretChat = Effect.fn("openSecretChat")(function*(person: SdkPerson, invited: ReadonlyArray<string>) {
  const room = yield* person.createRoom("Between us", invited)
  yield* person.greetingIn(room)
  return room
})

describe("an encrypted room", () => {
  it.live("is spoken in both ways, and the server has nothing in clear", () =>
    Effect.gen(function*() {
      const { account, start } = yield* scenario()
      yield* start
      const alice = yield* clientOf(yield* makeAccount("alice"))
      const room = yield* openSecretChat(alice, [account.userId])
      for (const body of ["one", "two", "three"]) {
        const answer = yield* alice.answerTo(room, yield* alice.say(room, body))
        assert.strictEqual(answer.getContent()["body"], body)
        assert.isTrue(answer.isEncrypted())
      }
      assert.isTrue(alice.said(room).every((event) => event.isEncrypted()))
    }))

  it.live("of several people and devices is read on each of them", () =>
    Effect.gen(function*() {
      const { account, start } = yield* scenario()
      yield* start
      const [aliceAccount, bobAccount] = [yield* makeAccount("alice"), yield* makeAccount("bob")]
      const [phone, laptop] = [yield* clientOf(aliceAccount), yield* clientOf(aliceAccount)]
      const bob = yield* clientOf(bobAccount)
      const room = yield* openSecretChat(phone, [account.userId, bob.userId])
      yield* bob.join(room)
      for (const client of [phone, laptop, bob]) yield* client.sees(room, bob.userId)

      for (const asking of [phone, laptop, bob]) {
        const body = `from ${asking.deviceId}`
        const question = yield* asking.say(room, body, [account.userId])
        for (const reading of [phone, laptop, bob]) {
          const answer = yield* reading.answerTo(room, question)
          assert.strictEqual(answer.getContent()["body"], body)
          assert.isTrue(answer.isEncrypted())
        }
      }
    }))

  it.live("that was a plain one until now gets nothing more in clear", () =>
    Effect.gen(function*() {
      const { account, start } = yield* scenario()
      yield* start
      const alice = yield* clientOf(yield* makeAccount("alice"))
      const room = yield* alice.createRoom("In the open", account.userId, false)
      yield* alice.greetingIn(room)
      const before = yield* alice.answerTo(room, yield* alice.say(room, "in clear"))
      assert.isFalse(before.isEncrypted())
      yield* alice.encrypt(room)
      const after = yield* alice.answerTo(room, yield* alice.say(room, "in secret"))
      assert.isTrue(after.isEncrypted())
      assert.strictEqual(after.getContent()["body"], "in secret")
    }))

  it.live("has other keys when somebody has left: their device reads nothing that is said later", () =>
    Effect.gen(function*() {
      const { account, start } = yield* scenario()
      yield* start
      const alice = yield* clientOf(yield* makeAccount("alice"))
      const mallory = yield* clientOf(yield* makeAccount("mallory"))
      const room = yield* openSecretChat(alice, [account.userId])
      const asks = (body: string) =>
        Effect.flatMap(alice.say(room, body, [account.userId]), (question) => alice.answerTo(room, question))

      yield* alice.invite(room, mallory.userId)
      yield* mallory.join(room)
      yield* alice.sees(room, mallory.userId)
      const shared = yield* asks("for all three")
      yield* mallory.reads(room, shared.getId() ?? "")
      const again = yield* asks("for all three again")
      assert.strictEqual(sessionOf(again), sessionOf(shared))

      yield* mallory.leave(room)
      yield* alice.sees(room, mallory.userId, "leave")
      const kept = yield* asks("for the two of us")
      assert.strictEqual(kept.getContent()["body"], "for the two of us")
      assert.notStrictEqual(sessionOf(kept), sessionOf(shared))
      // She gets the bytes from somebody who is still there.
      assert.strictEqual(yield* mallory.opens(again), "for all three again")
      assert.isUndefined(yield* mallory.opens(kept))
    }))

  it.live("has other keys after as many messages as it says", () =>
    Effect.gen(function*() {
      const { account, start } = yield* scenario()
      yield* start
      const alice = yield* clientOf(yield* makeAccount("alice"))
      const content = { algorithm: "m.megolm.v1.aes-sha2", rotation_period_msgs: 3 }
      const { room_id: room } = yield* Effect.promise(() =>
        alice.client.createRoom({
          invite: [account.userId],
          initial_state: [{ type: "m.room.encryption", state_key: "", content }]
        })
      )
      const said = [yield* alice.greetingIn(room)]
      for (const body of ["one", "two", "three", "four", "five", "six"]) {
        const answer = yield* alice.answerTo(room, yield* alice.say(room, body))
        assert.strictEqual(answer.getContent()["body"], body)
        said.push(answer)
      }
      const bySession = Map.groupBy(said, sessionOf)
      assert.deepStrictEqual([...bySession.values()].map((events) => events.length), [3, 3, 1])
    }))

  it.live("is read with the same keys after a restart, what was said meanwhile too", () =>
    Effect.gen(function*() {
      const { account, start } = yield* scenario()
      const first = yield* start
      const alice = yield* clientOf(yield* makeAccount("alice"))
      const room = yield* openSecretChat(alice, [account.userId])
      yield* alice.answerTo(room, yield* alice.say(room, "before"))
      const keys = yield* alice.deviceOf(account.userId)
      assert.lengthOf(keys, 1)
      yield* first.stop
      const missed = yield* alice.say(room, "meanwhile")

      yield* start
      assert.strictEqual((yield* alice.answerTo(room, missed)).getContent()["body"], "meanwhile")
      yield* alice.answerTo(room, yield* alice.say(room, "after"))
      assert.deepStrictEqual(yield* alice.deviceOf(account.userId), keys)
      assert.deepStrictEqual(alice.unreadable(room), [])
    }))
})

/** The Megolm session that an event was encrypted with. */
const sessionOf = (event: MatrixEvent): unknown => event.getWireContent()["session_id"]
