import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { MatrixSession, MatrixSync } from "../../../src/layers/MatrixClient.ts"
import { Store } from "../../../src/layers/Store.ts"
import { batches, type ContractOptions, livesOf, ofModel, started, withStore } from "./Harness.ts"
import { World } from "./World.ts"

/** How the bot signs in, stays signed in, and learns that it is not. */
export const sessionContract = <R, E>(name: string, options: ContractOptions<R, E>) => {
  const asBot = livesOf(options)

  // The SDK keeps time by itself, so that the clock is the real one.
  layer(options.world, { excludeTestServices: true })(`${name}: sessions`, (it) => {
    it.effect("signs in with the password once and keeps the device over a restart", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const first = yield* asBot(account, Effect.flatMap(MatrixSession, (_) => _.authenticate))
        const second = yield* asBot(account, Effect.flatMap(MatrixSession, (_) => _.authenticate), {
          password: Redacted.make("never asked for")
        })
        assert.strictEqual(first.userId, account.userId)
        assert.deepStrictEqual(second, first)
      }).pipe(withStore))

    it.effect("says which setting to change when the password is wrong", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        const refusal = yield* asBot(account, Effect.flatMap(MatrixSession, (_) => _.authenticate), {
          password: Redacted.make("wrong-secret")
        }).pipe(Effect.flip)
        assert.strictEqual(refusal._tag, "CredentialsRefused")
        assert.include(refusal.message, "HOMING_PASSWORD")
        assert.notInclude(refusal.message, "wrong-secret")
      }).pipe(withStore))

    it.effect("takes a configured token, and refuses one of another account", () =>
      Effect.gen(function*() {
        const { account } = yield* World
        const [bot, other] = [yield* account("bot"), yield* account("other")]
        yield* asBot(bot, Effect.flatMap(MatrixSession, (_) => _.authenticate))
        const accessToken = (yield* (yield* Store).session.load)?.accessToken
        const self = yield* asBot(bot, Effect.flatMap(MatrixSession, (_) => _.authenticate), {
          accessToken,
          password: undefined
        })
        assert.strictEqual(self.userId, bot.userId)
        const refusal = yield* asBot(other, Effect.flatMap(MatrixSession, (_) => _.authenticate), { accessToken }).pipe(
          Effect.flip
        )
        assert.strictEqual(refusal._tag, "CredentialsRefused")
        assert.include(refusal.message, "HOMING_USER_ID")
      }).pipe(withStore))

    it.effect("ends the loop when the session is ended on the server, and cannot start again with it", () =>
      Effect.gen(function*() {
        const world = yield* World
        const account = yield* world.account("bot")
        yield* asBot(
          account,
          Effect.gen(function*() {
            yield* started()
            const { fiber, until } = yield* batches
            yield* until((_) => _.initial)
            yield* world.endSessions(account)
            const end = yield* Effect.flip(Fiber.join(fiber))
            assert.strictEqual(end._tag, "SessionEnded")
          })
        )
        const again = yield* Effect.flip(asBot(account, Effect.flatMap(MatrixSession, (_) => _.authenticate)))
        assert.strictEqual(again._tag, "SessionEnded")
        assert.include(again.message, "homing sign-out")
        yield* asBot(account, Effect.flatMap(MatrixSession, (_) => _.signOut))
        yield* asBot(account, Effect.flatMap(MatrixSession, (_) => _.authenticate))
      }).pipe(withStore))

    if (!options.onModel) return

    it.effect("signs the same device in again after a soft logout", () =>
      Effect.gen(function*() {
        const account = yield* (yield* World).account("bot")
        yield* asBot(
          account,
          Effect.gen(function*() {
            const session = yield* MatrixSession
            const first = yield* session.authenticate
            yield* (yield* MatrixSync).initialSync(undefined)
            yield* (yield* ofModel).signOut(account.userId, { softLogout: true })
            const end = yield* (yield* MatrixSync).loop(() => Effect.void).pipe(Effect.flip)
            assert.strictEqual(end._tag, "SessionEnded")
            if (end._tag === "SessionEnded") assert.isTrue(end.softLogout)
            const again = yield* session.authenticate
            assert.strictEqual(again.deviceId, first.deviceId)
            yield* (yield* MatrixSync).initialSync(undefined)
          })
        )
      }).pipe(withStore))
  })
}
