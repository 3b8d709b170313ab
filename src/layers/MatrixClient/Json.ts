/**
 * Readers of JSON that nobody has vouched for. They answer undefined (or nothing) where the shape is wrong and never
 * throw; the state of thousands of rooms is read with them, where a Schema for every event would cost seconds.
 */
export type Json = Readonly<Record<string, unknown>>

const isRecord = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

export const record = (value: unknown): Json | undefined => isRecord(value) ? value : undefined

/** The own property `key` of an object. Inherited names such as `constructor` do not count. */
export const field = (value: unknown, key: string): unknown => {
  const object = record(value)
  return object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined
}

export const text = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

export const textField = (value: unknown, key: string): string | undefined => text(field(value, key))

export const list = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

export const entries = (value: unknown): ReadonlyArray<readonly [string, unknown]> =>
  Object.entries(record(value) ?? {})

/** `{ events: [...] }`, the shape of every list of events in a sync answer. */
export const eventsOf = (section: unknown): ReadonlyArray<unknown> => list(field(section, "events"))

/** A body as text, and as what it is as JSON: undefined when it is none. */
export const readJson = (text: string): { readonly text: string; readonly body: unknown } => {
  try {
    return { text, body: JSON.parse(text) }
  } catch {
    return { text, body: undefined }
  }
}

/** What a person is told of a body that is not what was to come. */
export const whatCame = (text: string, body: unknown): string =>
  /^\s*</.test(text) ? "a web page" : record(body) === undefined ? "something that is no JSON" : "other JSON"
