import * as Effect from "effect/Effect"
import { decryptionLine } from "../../domain/Encryption.ts"
import { askStatus } from "../../layers/AskStatus.ts"
import { type Check, ok, warn } from "./Check.ts"

/** How the bot that runs says it is. Nothing where none does, or none may be asked. */
export const checkRunning = Effect.fn("Doctor.checkRunning")(function*(options: {
  readonly runs: boolean
  readonly statusPort: number | undefined
}) {
  if (!options.runs || options.statusPort === undefined) return []
  const status = yield* askStatus(options.statusPort)
  if (status === undefined) {
    return [
      warn(name, `Nothing answers on status port ${options.statusPort}.`, "Was the bot started with another one?")
    ]
  }
  const { decrypted, ready, reason } = status
  const checks: ReadonlyArray<Check> = [
    ready
      ? ok(name, `It is ready; ${decryptionLine({ read: 0, unread: 0, latest: [], ...decrypted })}.`)
      : warn(
        name,
        reason ?? "It is not ready.",
        `"homing log" and its log say more; docs/encryption.md tells what keys need.`
      )
  ]
  return checks
})

const name = "running bot"
