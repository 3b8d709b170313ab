import { setImmediate } from "node:timers"

/** Has its turn; calls `end` when the next one may begin. */
type Turn = (end: () => void) => void

/** Who works on the file now: one at a time, in the order of asking. There is one connection, and nothing to gain by more. */
export class Turns {
  readonly #waiting: Array<Turn> = []
  readonly #whenIdle: Array<() => void> = []
  #state: "idle" | "busy" | "halted" = "idle"
  #closed = false

  /**
   * `turn` begins in a task of its own. Once this is over it never does: tasks of the SDK outlive its client, and one that is
   * refused rejects a promise that nobody holds, which ends the process. What a closed page had asked for is not answered either.
   */
  take(turn: Turn): void {
    if (this.over) return
    this.#waiting.push(turn)
    if (this.#state === "idle") this.#next()
  }

  /** Closed or halted: nothing that is asked for now is answered. */
  get over(): boolean {
    return this.#closed || this.#state === "halted"
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
      if (this.#state !== "halted") turn(() => this.#state === "halted" || this.#next())
    })
  }

  #idle(): void {
    for (const resolve of this.#whenIdle.splice(0)) resolve()
  }
}
