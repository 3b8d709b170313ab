import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import { counted, lookedBackOn, noDecryptions, whyUnreadable } from "../../domain/Encryption.ts"
import type { LeaseHeld } from "../../domain/Errors.ts"
import { plural } from "../../domain/Plural.ts"
import { Store } from "../../layers/Store.ts"
import { type Check, fail, ok, warn } from "./Check.ts"

/** Whether the bot can keep its data there, and nobody else can read it. Makes nothing. */
export const checkDirectory = Effect.fn("Doctor.checkDirectory")(function*(directory: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const name = "data directory"
  const found = yield* Effect.result(files.stat(directory))
  if (Result.isFailure(found)) {
    const parent = yield* nearestDirectory(path.dirname(directory))
    return (yield* isWritable(parent))
      ? ok(name, `${directory} does not exist yet; the first start makes it.`)
      : fail(name, `${directory} does not exist, and ${parent} may not be written.`, chooseDirectory, "storeUnusable")
  }
  if (found.success.type !== "Directory") {
    return fail(name, `${directory} is no directory.`, chooseDirectory, "storeUnusable")
  }
  if (!(yield* isWritable(directory))) {
    return fail(name, `${directory} may not be written by this user.`, chooseDirectory, "storeUnusable")
  }
  const open = yield* Effect.filter(
    ["", "homing.db", "crypto.db", "crypto.key", "recovery.key"].map((file) => path.join(directory, file)),
    (file) => Effect.map(Effect.option(files.stat(file)), Option.exists(({ mode }) => (mode & 0o077) !== 0))
  )
  return open.length === 0
    ? ok(name, `${directory} is writable, and for this user only.`)
    : warn(
      name,
      `Other users may open ${open.join(", ")}, which hold the bot's token.`,
      `Run chmod go= ${open.join(" ")}`
    )
})

const chooseDirectory = "Set HOMING_DATA_DIR to a directory that this user may write."

const isWritable = (directory: string) =>
  FileSystem.FileSystem.use((files) => Effect.isSuccess(files.access(directory, { writable: true })))

const nearestDirectory: (directory: string) => Effect.Effect<string, never, FileSystem.FileSystem | Path.Path> = Effect
  .fnUntraced(function*(directory) {
    const path = yield* Path.Path
    const parent = path.dirname(directory)
    const exists = yield* FileSystem.FileSystem.use((files) => Effect.isSuccess(files.stat(directory)))
    return exists || parent === directory ? directory : yield* nearestDirectory(parent)
  })

/** What the bot remembers, from a store that is open. `runner` is who holds the lease. */
export const checkStore = Effect.fn("Doctor.checkStore")(function*(runner: LeaseHeld | undefined) {
  const store = yield* Store
  const [chats, inbox, outbox, cursor, reports, decryptions] = yield* Effect.all([
    store.chats.all,
    store.inbox.counts,
    store.outbox.counts,
    store.cursor,
    store.reports.latest(1),
    // A database that an older Homing wrote does not tell yet.
    Effect.orElseSucceed(store.inbox.decryptions(lookedBackOn), () => [])
  ])
  const shown = chats.filter(({ binding }) => binding !== null).length
  const checks: ReadonlyArray<Check> = [
    ok(
      "database",
      runner === undefined ? "It opens; no bot is running on it." : `A bot is running on it (${runner.holder}).`
    ),
    cursor === undefined
      ? ok("cursor", "There is none yet: the first start begins with what the rooms hold now.")
      : ok("cursor", "The next start goes on from where the last one stopped."),
    reports[0] === undefined
      ? ok("chats", "None yet.")
      : ok("chats", `${chats.length}, of which ${shown} are shown in a room.`),
    inbox.failed === 0
      ? ok("inbox", `${inbox.pending} to settle, ${inbox.answered} answered, ${inbox.ignored} ignored.`)
      : warn(
        "inbox",
        `${inbox.failed} messages could not be answered.`,
        "\"homing log\" lists them with their reasons."
      ),
    outbox.dead === 0
      ? ok("outbox", `${outbox.pending} to send, ${outbox.sent} sent.`)
      : warn(
        "outbox",
        `${outbox.dead} replies can never be delivered.`,
        "\"homing outbox\" lists them with their reasons."
      ),
    ...decryptionChecks(decryptions)
  ]
  return checks
})

/** What the inbox tells of the keys, also of a bot that cannot be asked: whether the newest encrypted messages could be read. */
const decryptionChecks = (newest: ReadonlyArray<boolean>): ReadonlyArray<Check> => {
  if (newest.length === 0) return []
  const decryptions = newest.reduce(counted, noDecryptions)
  const problem = whyUnreadable(decryptions)
  return [
    problem === undefined
      ? ok("decryption", `${decryptions.read} of the last ${plural(newest.length, "encrypted message")} were read.`)
      : warn(
        "decryption",
        problem,
        "\"homing verify\" shows how the bot's keys stand; docs/encryption.md tells what they need."
      )
  ]
}
