import * as Fs from "node:fs"
import * as Path from "node:path"

/**
 * Makes a file for its owner only, whole and on the disk when this returns, or not at all: what is encrypted with a key that is lost is
 * lost, and half a key lets nobody start. False when there is one already, which stays as it is. One process at a time.
 */
export const makeFile = (path: string, text: string): boolean => {
  if (Fs.existsSync(path)) return false
  const unfinished = `${path}.unfinished`
  // Of a life that ended in the middle of this.
  Fs.rmSync(unfinished, { force: true })
  const file = Fs.openSync(unfinished, "wx", 0o600)
  try {
    Fs.writeFileSync(file, text)
    Fs.fsyncSync(file)
  } finally {
    Fs.closeSync(file)
  }
  Fs.renameSync(unfinished, path)
  flushDirectory(Path.dirname(path))
  return true
}

/** A new name is on the disk only when its directory is. */
const flushDirectory = (path: string): void => {
  const directory = Fs.openSync(path, "r")
  try {
    Fs.fsyncSync(directory)
  } finally {
    Fs.closeSync(directory)
  }
}
