import { setImmediate } from "node:timers"
import type { DatabaseShape } from "./Catalog.ts"
import type { IDBDatabase } from "./Database.ts"
import type { Engine } from "./Engine.ts"
import { IDBEvent, Target, tell } from "./Event.ts"
import { NameList } from "./NameList.ts"
import { IDBObjectStore } from "./ObjectStore.ts"
import { problem } from "./Problem.ts"
import { IDBRequest } from "./Request.ts"

export type Mode = "readonly" | "readwrite" | "versionchange"

/** Something to be done in the transaction, and the request that it answers. */
interface Step {
  readonly run: () => unknown
  readonly request?: IDBRequest
  /** How success is told; `success` when left out. */
  readonly event?: () => IDBEvent
}

/** What became of a step, once it was told. */
interface Told {
  readonly failed: DOMException | undefined
  readonly prevented: boolean
  readonly thrown: ReadonlyArray<unknown>
}

/**
 * A transaction (w3.org/TR/IndexedDB, 2.7): active while the code that made it or a handler of one of its requests runs, with
 * everything that Rust or a promise continues from there; it commits when it is told so or when nothing more was asked of it.
 *
 * In Node all of that continues before the next task. So a step takes two tasks of its own, set up side by side so that no
 * timer and no network comes between: one does it and tells of it, the other sees what came of that.
 */
export class IDBTransaction extends Target {
  readonly db: IDBDatabase
  readonly mode: Mode
  readonly objectStoreNames: NameList
  error: DOMException | null = null
  readonly #engine: Engine
  readonly #shape: DatabaseShape
  readonly #whenFinished: ((committed: boolean) => void) | undefined
  readonly #stores = new Map<string, IDBObjectStore>()
  readonly #steps: Array<Step> = []
  #state: "active" | "inactive" | "committing" | "finished"
  #begun = false
  #end = () => {}

  /** Takes its turn. `whenFinished` is called before the end of a version change is told. */
  constructor(
    engine: Engine,
    db: IDBDatabase,
    shape: DatabaseShape,
    options: { readonly names: Iterable<string>; readonly mode: Mode; whenFinished?(committed: boolean): void }
  ) {
    super()
    this.#engine = engine
    this.#shape = shape
    this.db = db
    this.mode = options.mode
    this.objectStoreNames = new NameList(options.names)
    this.#whenFinished = options.whenFinished
    // The stores of a version are changed by the handler of `upgradeneeded`, and not before.
    this.#state = options.mode === "versionchange" ? "inactive" : "active"
    engine.turns.take((end) => this.#begin(end))
  }

  objectStore(name: string): IDBObjectStore {
    if (this.#state === "finished") throw problem("InvalidStateError", "The transaction has ended.")
    const shape = this.#shape.stores.get(name)
    if (shape === undefined || (this.mode !== "versionchange" && !this.objectStoreNames.contains(name))) {
      throw problem("NotFoundError", `The transaction has no store ${name}.`)
    }
    const known = this.#stores.get(name)
    if (known?.shape === shape) return known
    const store = new IDBObjectStore(this, this.#engine, shape)
    this.#stores.set(name, store)
    return store
  }

  commit(): void {
    this.assertActive("InvalidStateError")
    this.#state = "committing"
  }

  abort(): void {
    if (this.#state === "committing" || this.#state === "finished") {
      throw problem("InvalidStateError", "The transaction has been committed or has ended.")
    }
    this.#abort(null)
  }

  assertActive(name: "TransactionInactiveError" | "InvalidStateError" = "TransactionInactiveError"): void {
    if (this.#state !== "active") throw problem(name, "The transaction takes no requests now.")
  }

  assertWritable(): void {
    this.assertActive()
    if (this.mode === "readonly") throw problem("ReadOnlyError", "The transaction only reads.")
  }

  /** Asks for `run` in its turn, after everything that was asked before. */
  ask(source: object, run: () => unknown, request: IDBRequest = new IDBRequest(source, this)): IDBRequest {
    this.assertActive()
    this.#steps.push({ run, request })
    return request
  }

  /** As `ask`, for what is not answered: the stores and indexes of a new version. */
  change(run: () => void): void {
    this.#steps.push({ run })
  }

  /** The first step of a version change, which tells `upgradeneeded`. */
  start(step: Required<Step>): void {
    this.#steps.push(step)
  }

  #begin(end: () => void): void {
    if (this.#state === "finished") return end()
    if (this.#state === "active") this.#state = "inactive"
    this.#end = end
    this.#advance()
  }

  #advance(): void {
    if (this.#steps.length === 0) return this.#commit()
    let told: Told | undefined
    setImmediate(() => {
      told = this.#perform()
    })
    setImmediate(() => {
      if (told !== undefined) this.#conclude(told)
    })
  }

  /** Undefined when the transaction has ended in between, or the store is lost. */
  #perform(): Told | undefined {
    const step = this.#state === "finished" ? undefined : this.#steps.shift()
    if (step === undefined) return undefined
    let failed: DOMException | undefined
    try {
      if (!this.#begun && this.mode !== "readonly") {
        this.#engine.file.begin()
        this.#begun = true
      }
      const result = step.run()
      step.request?.succeed(result)
    } catch (cause) {
      if (!(cause instanceof DOMException)) return void this.#engine.lost(cause)
      failed = cause
      step.request?.fail(cause)
    }
    if (step.request === undefined) return { failed, prevented: false, thrown: [] }
    if (this.#state === "inactive") this.#state = "active"
    if (failed === undefined) {
      return { failed, prevented: false, ...tell(step.event?.() ?? new IDBEvent("success", step.request)) }
    }
    const event = new IDBEvent("error", step.request)
    const { thrown } = tell(event, this, this.db)
    return { failed, prevented: event.defaultPrevented, thrown }
  }

  #conclude({ failed, prevented, thrown }: Told): void {
    if (this.#state === "finished") return
    if (this.#state === "active") this.#state = "inactive"
    if (thrown.length > 0) return this.#abort(problem("AbortError", "A handler of the transaction threw.", thrown[0]))
    if (failed !== undefined && !prevented) return this.#abort(failed)
    this.#advance()
  }

  /** What `complete` tells is on the disk: whoever hears it may send what depends on it. */
  #commit(): void {
    try {
      if (this.#begun) this.#engine.file.commit()
    } catch (cause) {
      return this.#engine.lost(cause)
    }
    this.#state = "finished"
    this.#whenFinished?.(true)
    tell(new IDBEvent("complete", this))
    this.#end()
  }

  #abort(error: DOMException | null): void {
    this.#state = "finished"
    this.error = error
    try {
      if (this.#begun) this.#engine.file.rollback()
    } catch (cause) {
      return this.#engine.lost(cause)
    }
    const unanswered = this.#steps.splice(0)
    if (this.mode === "versionchange") this.#engine.catalog.forget(this.#shape)
    setImmediate(() => {
      for (const { request } of unanswered) {
        if (request === undefined) continue
        request.fail(problem("AbortError", "The transaction was aborted."))
        tell(new IDBEvent("error", request), this, this.db)
      }
      this.#whenFinished?.(false)
      tell(new IDBEvent("abort", this), this.db)
      this.#end()
    })
  }
}
