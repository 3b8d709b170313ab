import { setImmediate } from "node:timers"
import type { DatabaseShape } from "./Catalog.ts"
import { IDBDatabase } from "./Database.ts"
import type { Engine } from "./Engine.ts"
import { IDBEvent, IDBVersionChangeEvent, tell } from "./Event.ts"
import { problem } from "./Problem.ts"
import { IDBOpenDBRequest } from "./Request.ts"
import { IDBTransaction } from "./Transaction.ts"

interface Opening {
  readonly request: IDBOpenDBRequest
  readonly version: number | undefined
  /** It no longer waits for connections to be closed. */
  begun: boolean
}

/** The databases of one file. */
export class IDBFactory {
  readonly #engine: Engine
  readonly #openings = new Map<string, Array<Opening>>()
  readonly #connections = new Map<string, Set<IDBDatabase>>()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Opens the version that there is, or 1, when none is given. A new version waits until no connection is open. */
  open(name: string, version?: number): IDBOpenDBRequest {
    if (version !== undefined && !(Number.isSafeInteger(version) && version > 0)) {
      throw new TypeError(`${version} is no version of a database.`)
    }
    const request = new IDBOpenDBRequest()
    const openings = this.#openings.get(name) ?? []
    this.#openings.set(name, openings)
    openings.push({ request, version, begun: false })
    if (openings.length === 1) this.#proceed(name)
    return request
  }

  /** Those who open a database do so one after another. */
  #proceed(name: string): void {
    setImmediate(() => {
      const opening = this.#openings.get(name)?.[0]
      // Closing a connection goes on with an opening that may go on already.
      if (opening === undefined || opening.begun || this.#engine.turns.over) return
      try {
        this.#attempt(name, opening)
      } catch (cause) {
        this.#engine.lost(cause)
      }
    })
  }

  #attempt(name: string, opening: Opening): void {
    const shape = this.#engine.catalog.database(name)
    const wanted = opening.version ?? Math.max(shape.version, 1)
    const waits = wanted > shape.version && (this.#connections.get(name)?.size ?? 0) > 0
    if (waits) return
    opening.begun = true
    const { request } = opening
    if (wanted > shape.version) return this.#upgrade(shape, request, wanted)
    if (wanted === shape.version) return this.#succeed(name, request, this.#connect(shape))
    this.#fail(name, request, "VersionError", `The database ${name} has version ${shape.version} already.`)
  }

  #upgrade(shape: DatabaseShape, request: IDBOpenDBRequest, version: number): void {
    const connection = this.#connect(shape)
    const oldVersion = shape.version
    const upgrade = new IDBTransaction(this.#engine, connection, shape, {
      names: shape.stores.keys(),
      mode: "versionchange",
      whenFinished: (committed) => {
        connection.upgrade = undefined
        request.transaction = null
        if (!committed) connection.close()
        if (connection.closed) {
          return this.#fail(shape.name, request, "AbortError", "The new version of the database was not made.")
        }
        setImmediate(() => this.#succeed(shape.name, request, connection))
      }
    })
    request.transaction = upgrade
    upgrade.start({
      request,
      run: () => {
        this.#engine.catalog.saveVersion(shape, version)
        shape.version = version
        connection.upgrade = upgrade
        return connection
      },
      event: () => new IDBVersionChangeEvent("upgradeneeded", request, oldVersion, version)
    })
  }

  #connect(shape: DatabaseShape): IDBDatabase {
    const connections = this.#connections.get(shape.name) ?? new Set()
    this.#connections.set(shape.name, connections)
    const connection = new IDBDatabase(this.#engine, shape, () => {
      connections.delete(connection)
      this.#proceed(shape.name)
    })
    connections.add(connection)
    return connection
  }

  #succeed(name: string, request: IDBOpenDBRequest, connection: IDBDatabase): void {
    request.succeed(connection)
    this.#answered(name)
    tell(new IDBEvent("success", request))
  }

  #fail(name: string, request: IDBOpenDBRequest, problemName: "AbortError" | "VersionError", message: string): void {
    setImmediate(() => {
      request.fail(problem(problemName, message))
      this.#answered(name)
      tell(new IDBEvent("error", request))
    })
  }

  #answered(name: string): void {
    this.#openings.get(name)?.shift()
    this.#proceed(name)
  }
}
