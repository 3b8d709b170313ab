import { setImmediate } from "node:timers"
import { problem } from "./Problem.ts"

/** Has its turn; calls `end` when the next one may begin. */
type Turn = (end: () => void) => void

/** Who works on the file now: one at a time, in the order of asking. There is one connection, and nothing to gain by more. */
export class Turns {
  readonly #waiting: Array<Turn> = []
  readonly #whenIdle: Array<() => void> = []
  #state: "idle" | "busy" | "halted" = "idle"
  #closed = false

  /** `turn` begins in a task of its own. */
  take(turn: Turn): void {
    this.assertOpen()
    this.#waiting.push(turn)
    if (this.#state === "idle") this.#next()
  }

  assertOpen(): void {
    if (this.#closed) throw problem("InvalidStateError", "The store of the keys has been closed.")
  }

  get halted(): boolean {
    return this.#state === "halted"
  }

  /** No turn begins any more, and nobody waits for one. */
  halt(): void {
    this.#state = "halted"
    this.#idle()
  }

  /** Takes no more turns; resolves when those that were taken have ended. */
  close(): Promise<void> {
    this.#closed = true
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve)
      if (this.#state !== "busy") this.#idle()
    })
  }

  #next(): void {
    const turn = this.#waiting.shift()
    if (turn === undefined) {
      this.#state = "idle"
      return this.#idle()
    }
    this.#state = "busy"
    setImmediate(() => {
      if (!this.halted) turn(() => this.halted || this.#next())
    })
  }

  #idle(): void {
    for (const resolve of this.#whenIdle.splice(0)) resolve()
  }
}
