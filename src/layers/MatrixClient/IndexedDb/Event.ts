/** The events that are told, to the handlers that are called `on` and their name. */
export type EventName = "abort" | "complete" | "error" | "success" | "upgradeneeded"

type Handler = ((event: IDBEvent) => unknown) | null

/** What can be told something. `addEventListener` is not there: nobody uses it. */
export class Target {
  onabort: Handler = null
  oncomplete: Handler = null
  onerror: Handler = null
  onsuccess: Handler = null
  onupgradeneeded: Handler = null
}

/** An event, as far as somebody looks at it. */
export class IDBEvent {
  readonly type: EventName
  readonly target: Target
  currentTarget: Target
  defaultPrevented = false

  constructor(type: EventName, target: Target) {
    this.type = type
    this.target = target
    this.currentTarget = target
  }

  preventDefault(): void {
    this.defaultPrevented = true
  }
}

/** Tells that a database is to get another version, while it can get other stores. */
export class IDBVersionChangeEvent extends IDBEvent {
  readonly oldVersion: number
  readonly newVersion: number

  constructor(type: EventName, target: Target, oldVersion: number, newVersion: number) {
    super(type, target)
    this.oldVersion = oldVersion
    this.newVersion = newVersion
  }
}

/**
 * Tells `event` to its target and then to those around it. Answers what a handler threw: it must not reach Node, which would
 * end the process, and the others are told all the same.
 */
export const tell = (
  event: IDBEvent,
  ...around: ReadonlyArray<Target>
): { readonly thrown: ReadonlyArray<unknown> } => {
  const thrown: Array<unknown> = []
  for (const target of [event.target, ...around]) {
    event.currentTarget = target
    try {
      target[`on${event.type}` as const]?.(event)
    } catch (cause) {
      thrown.push(cause)
    }
  }
  return { thrown }
}
