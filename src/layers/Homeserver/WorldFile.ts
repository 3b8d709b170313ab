/** The world in one file: read at the start, written a moment after it changes and at the end. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { writeFileSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { freeze, freezeRoom, KeptRoom, KeptWorld, thaw } from "./KeptWorld.ts"
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

const decodeWorld = Schema.decodeUnknownResult(Schema.fromJsonString(KeptWorld))
const decodeRoom = Schema.decodeUnknownResult(Schema.fromJsonString(KeptRoom))

/** The rooms of these lines, one at a time; undefined for a line that is none. */
function* roomsOf(lines: ReadonlyArray<string>) {
  for (const line of lines) yield Result.getOrUndefined(decodeRoom(line))
}

/** The world of a file's text: a line for the world, and one for each room. Undefined when it is none of ours. */
const worldOf = (text: string): World | undefined => {
  const [first, ...lines] = text.split("\n")
  const kept = decodeWorld(first)
  // Every line ends, so that the last piece is empty; a file that was cut off has fewer rooms than it says.
  if (Result.isFailure(kept) || lines.length !== kept.success.rooms + 1) return undefined
  return thaw(kept.success, roomsOf(lines.slice(0, -1)))
}

const undefinedIfMissing = (problem: unknown): undefined => {
  if (!(problem instanceof Error && "code" in problem && problem.code === "ENOENT")) throw problem
}

/** The world of a file; an empty one when there is no file. */
export const openWorld = Effect.fn("WorldFile.open")(function*(file: string, serverName: string) {
  const unusable = (detail: string) => new WorldFileUnusable({ file, detail })
  const text = yield* Effect.tryPromise({
    try: () => Fs.readFile(file, "utf8").catch(undefinedIfMissing),
    catch: (problem) => unusable(`it cannot be read (${problem instanceof Error ? problem.message : String(problem)}).`)
  })
  if (text === undefined) return makeWorld(serverName)
  const world = worldOf(text)
  if (world === undefined) return yield* unusable("it is damaged, or was written by another version of Homing.")
  if (world.serverName !== serverName) {
    return yield* unusable(`it holds the sandbox of ${world.serverName}, not of ${serverName}.`)
  }
  return world
})

/** Keeps the world in the file from now on. To be told of every change; the end of the scope writes the last ones. */
export const keepWorld: (file: string, world: World) => Effect.Effect<Effect.Effect<void>, never, Scope.Scope> = Effect
  .fnUntraced(function*(file: string, world: World) {
    const changed = yield* Latch.make(false)
    // As soon as a write begins the latch is closed: what changes meanwhile is written next.
    const write = changed.close.pipe(
      Effect.andThen(Effect.tryPromise(() => writeWhole(file, world))),
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
const writeWhole = async (file: string, world: World): Promise<void> => {
  const next = `${file}.new`
  await Fs.rm(next, { force: true })
  const handle = await Fs.open(next, "wx", 0o600)
  try {
    // In one turn, so that it is the world of one instant, and line by line, so that it is never held a second time.
    writeFileSync(handle.fd, `${JSON.stringify(freeze(world))}\n`)
    for (const room of world.rooms.values()) writeFileSync(handle.fd, `${JSON.stringify(freezeRoom(room))}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await Fs.rename(next, file)
}
