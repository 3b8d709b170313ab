import type { Listed } from "./Records.ts"

type Answer = ReadonlyArray<Listed>

/** So many answers are kept of one store; then they are all forgotten. */
const mostAnswers = 500
/** A larger answer is not kept: together those of a store take at most 4 MB. */
const mostBytes = 8_000

const bytesOf = (answer: Answer): number =>
  answer.reduce((sum, { key, primaryKey, value }) => sum + key.length + primaryKey.length + value.length, 0)

/** Whoever gets a value may write into it: what is read from its bytes shares them. */
const copyOf = (answer: Answer): Answer => answer.map((listed) => ({ ...listed, value: listed.value.slice() }))

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
    if (known !== undefined) return copyOf(known)
    const answer = ask()
    if (bytesOf(answer) > mostBytes) return answer
    if (answers.size >= mostAnswers) answers.clear()
    answers.set(question, copyOf(answer))
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
