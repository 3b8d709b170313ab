import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { exitCode, type HomeserverUnreachable, type SessionEnded, type StoreUnavailable } from "../domain/Errors.ts"
import type { UserId } from "../domain/Ids.ts"
import type { ServerRoom } from "../domain/ServerRoom.ts"

/** No session is stored, so that there is nobody to ask as. Exit code 77. */
export class NoStoredSession extends Schema.TaggedError<NoStoredSession>()("NoStoredSession", {
  dataDir: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = exitCode.credentialsRefused
  override get message() {
    return `No session is stored in ${this.dataDir}: the bot has not signed in there yet, or was signed out. ` +
      `"homing run" signs it in.`
  }
}

/** What the server knows of the account. */
export interface SeenAccount {
  readonly account: UserId
  readonly homeserverUrl: string
  readonly rooms: ReadonlyArray<ServerRoom>
}

/** What an operator's command sees of the account on the server, with the session that the bot has stored, while the bot may run. */
export class AccountLook extends Context.Service<AccountLook, {
  /**
   * Every room as a start would see it now: asks whose the stored session is, and makes one `/sync` with the full state from the stored
   * cursor. Changes nothing, on the server or here; a bot that runs does not notice.
   */
  readonly look: Effect.Effect<
    SeenAccount,
    NoStoredSession | SessionEnded | HomeserverUnreachable | StoreUnavailable
  >
}>()("homing/AccountLook") {}
