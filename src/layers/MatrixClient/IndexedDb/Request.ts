import { Target } from "./Event.ts"
import { problem } from "./Problem.ts"
import type { IDBTransaction } from "./Transaction.ts"

type Outcome =
  | { readonly _tag: "Pending" }
  | { readonly _tag: "Succeeded"; readonly result: unknown }
  | { readonly _tag: "Failed"; readonly error: DOMException }

const pending: Outcome = { _tag: "Pending" }

/** Something that was asked of a store, and its answer when there is one. */
export class IDBRequest extends Target {
  /** The store, index or cursor that was asked; null for the opening of a database. */
  readonly source: object | null
  transaction: IDBTransaction | null
  #outcome = pending

  constructor(source: object | null, transaction: IDBTransaction | null) {
    super()
    this.source = source
    this.transaction = transaction
  }

  get readyState(): "pending" | "done" {
    return this.#outcome._tag === "Pending" ? "pending" : "done"
  }

  get result(): unknown {
    const outcome = this.#done()
    return outcome._tag === "Succeeded" ? outcome.result : undefined
  }

  get error(): DOMException | null {
    const outcome = this.#done()
    return outcome._tag === "Failed" ? outcome.error : null
  }

  succeed(result: unknown): void {
    this.#outcome = { _tag: "Succeeded", result }
  }

  fail(error: DOMException): void {
    this.#outcome = { _tag: "Failed", error }
  }

  /** A cursor asks again through the request that made it. */
  again(): void {
    this.#outcome = pending
  }

  #done(): Outcome {
    if (this.#outcome._tag === "Pending") throw problem("InvalidStateError", "The request has no answer yet.")
    return this.#outcome
  }
}

export class IDBOpenDBRequest extends IDBRequest {
  constructor() {
    super(null, null)
  }
}
