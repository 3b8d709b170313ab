import { encodeIfKey, type KeyBytes } from "./Key.ts"
import { problem } from "./Problem.ts"

/** Where in a value an index finds its key: one path of names, or several that make an array (w3.org/TR/IndexedDB, 2.5). */
export type KeyPath = string | ReadonlyArray<string>

const names = /^([\p{ID_Start}$_][\p{ID_Continue}$_\u200c\u200d]*(\.(?!$)|$))*$/u

/** Throws `SyntaxError` when `value` is no path. */
export const keyPathOf = (value: unknown): KeyPath => {
  const isPath = (path: unknown): path is string => typeof path === "string" && names.test(path)
  if (isPath(value)) return value
  if (Array.isArray(value) && value.length > 0 && value.every(isPath)) return [...value]
  throw problem("SyntaxError", `${String(value)} is no key path.`)
}

/** The key that an index has for `value`; undefined when it has none there, which leaves the value out of the index. */
export const keyAt = (value: unknown, path: KeyPath): KeyBytes | undefined =>
  encodeIfKey(typeof path === "string" ? follow(value, path) : path.map((one) => follow(value, one)))

const follow = (value: unknown, path: string): unknown =>
  path === "" ? value : path.split(".").reduce(ownProperty, value)

const ownProperty = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined
