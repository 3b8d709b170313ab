import { Effect } from "effect"
import { Writable } from "node:stream"

/** A screen that knows as much of terminals as readline needs: text, new lines, the cursor, and erasing downwards. */
export class Screen extends Writable {
  readonly columns: number
  readonly #rows: Array<Array<string>> = [[]]
  #row = 0
  #column = 0

  constructor(columns: number) {
    super({ decodeStrings: false })
    this.columns = columns
  }

  /** What can be read, without spaces at the ends of lines and empty lines at the end. */
  get lines(): ReadonlyArray<string> {
    return this.#rows.map((row) => row.join("").trimEnd()).join("\n").trimEnd().split("\n")
  }

  /** Waits until a line matches. */
  shows(pattern: RegExp): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const look = () => {
        if (this.lines.some((line) => pattern.test(line))) resume(Effect.void)
      }
      this.on("drawn", look)
      look()
      return Effect.sync(() => this.off("drawn", look))
    })
  }

  override _write(chunk: unknown, _encoding: string, done: () => void) {
    for (const [part] of String(chunk).matchAll(/\p{Cc}\[[\d;]*[A-Za-z]|[^]/gu)) {
      if (part.startsWith("\u001b[")) this.#control(part.at(-1) ?? "", Number.parseInt(part.slice(2), 10))
      else if (part === "\n") this.#to(this.#row + 1, 0)
      else if (part === "\r") this.#to(this.#row, 0)
      else this.#put(part)
    }
    done()
    this.emit("drawn")
  }

  #control(name: string, given: number) {
    const count = Number.isNaN(given) ? 1 : given
    if (name === "A") this.#to(this.#row - count, this.#column)
    else if (name === "B") this.#to(this.#row + count, this.#column)
    else if (name === "C") this.#to(this.#row, this.#column + count)
    else if (name === "D") this.#to(this.#row, this.#column - count)
    else if (name === "G") this.#to(this.#row, count - 1)
    else if (name === "J") {
      this.#rows.length = this.#row + 1
      this.#line.length = Math.min(this.#line.length, this.#column)
    } else if (name === "K") this.#line.length = Math.min(this.#line.length, this.#column)
    else if (name !== "m") throw new Error(`this screen does not know CSI ${name}`)
  }

  #put(character: string) {
    if (this.#column === this.columns) this.#to(this.#row + 1, 0)
    while (this.#line.length < this.#column) this.#line.push(" ")
    this.#line[this.#column++] = character
  }

  #to(row: number, column: number) {
    this.#row = Math.max(0, row)
    this.#column = Math.min(Math.max(0, column), this.columns - 1)
    while (this.#rows.length <= this.#row) this.#rows.push([])
  }

  get #line(): Array<string> {
    return this.#rows[this.#row] ?? []
  }
}
