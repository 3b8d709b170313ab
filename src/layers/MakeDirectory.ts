import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Path from "node:path"

/** A directory cannot be made, or is none. */
export class DirectoryUnusable extends Schema.TaggedError<DirectoryUnusable>()("DirectoryUnusable", {
  path: Schema.String,
  full: Schema.Boolean,
  /** What is in the way, as a clause that names the directory. */
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/**
 * Makes a directory for its owner alone, and those above it that are missing. Level by level from the nearest one that is there:
 * where the system says "no such file" to a directory whose parent exists, as below `/proc`, Node's own recursive `mkdir` never ends.
 */
export const makeDirectory = Effect.fn("makeDirectory")(function*(path: string) {
  const missing: Array<string> = []
  for (let at = Path.resolve(path); !Fs.existsSync(at) && Path.dirname(at) !== at; at = Path.dirname(at)) {
    missing.unshift(at)
  }
  for (const directory of missing) yield* makeOne(directory)
  if (!isDirectory(path)) {
    return yield* new DirectoryUnusable({
      path,
      full: false,
      detail: `${Path.resolve(path)} is a file and no directory`
    })
  }
})

const makeOne = (path: string): Effect.Effect<void, DirectoryUnusable> =>
  Effect.try({
    try: () => Fs.mkdirSync(path, { mode: 0o700 }),
    catch: (cause) => cause instanceof Error && "code" in cause ? String(cause.code) : "unknown"
  }).pipe(Effect.catch((code) =>
    // Another process may have been faster.
    code === "EEXIST" && isDirectory(path)
      ? Effect.void
      : new DirectoryUnusable({ path, full: code === "ENOSPC" || code === "EDQUOT", detail: obstacle(path, code) })
  ))

const isDirectory = (path: string): boolean => {
  try {
    return Fs.statSync(path).isDirectory()
  } catch {
    return false
  }
}

const obstacle = (path: string, code: string): string => {
  const parent = Path.dirname(path)
  switch (code) {
    case "EACCES":
    case "EPERM":
      return `the directory ${path} cannot be made, since this user may not write in ${parent}`
    case "EROFS":
      return `the directory ${path} cannot be made, since ${parent} is read-only`
    case "ENOTDIR":
      return `the directory ${path} cannot be made, since ${parent} is a file and no directory`
    case "EEXIST":
      return `${path} is no directory`
    case "ENOENT":
      return `the directory ${path} cannot be made, since ${parent} takes none`
    case "ENOSPC":
    case "EDQUOT":
      return `the directory ${path} cannot be made, since the disk is full`
    default:
      return `the directory ${path} cannot be made (${code})`
  }
}
