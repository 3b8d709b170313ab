import type { Listed } from "./Records.ts"

type Answer = ReadonlyArray<Listed>

/** So many answers are kept of one store; then they are all forgotten. */
const mostAnswers = 1_000
/** Of more records than this, or larger ones, an answer is not kept. */
const mostRecords = 20
const mostBytes = 20_000

/**
 * What stores have answered, until something is written to them. The SDK asks for the same devices and identities some twenty times with
 * every message that it reads and writes. One process has the file, and its transactions run one at a time.
 */
export class Recall {
  readonly #stores = new Map<number, Map<string, Answer>>()

  /** The answer to this question of the store; asked when it is not known. */
  answer(store: number, question: string, ask: () => Answer): Answer {
    const answers = this.#stores.get(store) ?? new Map<string, Answer>()
    this.#stores.set(store, answers)
    const known = answers.get(question)
    if (known !== undefined) return known
    const answer = ask()
    if (answer.length > mostRecords || answer.some(({ value }) => value.length > mostBytes)) return answer
    if (answers.size >= mostAnswers) answers.clear()
    answers.set(question, answer)
    return answer
  }

  /** Something was written to the store. */
  forget(store: number): void {
    this.#stores.delete(store)
  }

  /** What was written is taken back. */
  forgetAll(): void {
    this.#stores.clear()
  }
}
