/** The world in one file: read at the start, written a moment after it changes and at the end. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs/promises"
import { freeze, KeptWorld, thaw } from "./KeptWorld.ts"
import { makeWorld, type World } from "./Model.ts"

/** The file of a kept sandbox cannot be used. It was left as it is. */
export class WorldFileUnusable extends Schema.TaggedError<WorldFileUnusable>()("WorldFileUnusable", {
  file: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `The sandbox cannot go on from ${this.file}: ${this.detail} The file was left as it is. ` +
      "Move it away to begin with an empty sandbox."
  }
}

/** Long enough for a burst of events to be written once, short enough that a crash costs little. */
const patience = "500 millis"

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(KeptWorld))

/** The world of a file; an empty one when there is no file. */
export const openWorld = Effect.fn("WorldFile.open")(function*(file: string, serverName: string) {
  const unusable = (detail: string) => new WorldFileUnusable({ file, detail })
  const text = yield* Effect.tryPromise({
    try: () => Fs.readFile(file, "utf8"),
    catch: (problem) => problem instanceof Error && "code" in problem ? problem : new Error(String(problem))
  }).pipe(
    Effect.catch((problem) =>
      "code" in problem && problem.code === "ENOENT"
        ? Effect.succeed(undefined)
        : Effect.fail(unusable(`it cannot be read (${problem.message}).`))
    )
  )
  if (text === undefined) return makeWorld(serverName)
  const kept = decode(text)
  if (Result.isFailure(kept)) return yield* unusable("it is damaged, or was written by another version of Homing.")
  if (kept.success.serverName !== serverName) {
    return yield* unusable(`it holds the sandbox of ${kept.success.serverName}, not of ${serverName}.`)
  }
  return thaw(kept.success)
})

/** Keeps the world in the file from now on. To be told of every change; the end of the scope writes the last ones. */
export const keepWorld: (file: string, world: World) => Effect.Effect<Effect.Effect<void>, never, Scope.Scope> = Effect
  .fnUntraced(function*(file: string, world: World) {
    const changed = yield* Latch.make(false)
    // As soon as a write begins the latch is closed: what changes meanwhile is written next.
    const write = changed.close.pipe(
      Effect.andThen(Effect.tryPromise(() => writeWhole(file, JSON.stringify(freeze(world))))),
      Effect.catch((problem) =>
        Effect.logWarning("sandbox_not_kept").pipe(Effect.annotateLogs({ file, detail: String(problem.cause) }))
      ),
      Effect.uninterruptible
    )
    yield* Effect.addFinalizer(() => write)
    yield* changed.await.pipe(
      Effect.andThen(Effect.sleep(patience)),
      Effect.andThen(write),
      Effect.forever,
      Effect.forkScoped
    )
    return Effect.asVoid(changed.open)
  })

/** Whole or not at all, and readable by its owner alone: it holds what people wrote. */
const writeWhole = async (file: string, text: string): Promise<void> => {
  const next = `${file}.new`
  await Fs.rm(next, { force: true })
  const handle = await Fs.open(next, "wx", 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await Fs.rename(next, file)
}
