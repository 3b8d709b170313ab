import * as V8 from "node:v8"
import { damaged, problem } from "./Problem.ts"

/**
 * The bytes of a structured clone of `value`; throws `DataCloneError`. The format is V8's own, which later versions read
 * (nodejs.org/api/v8.html, "Serialization API"). A view is kept without the rest of its buffer, which may be all of the
 * memory of the WebAssembly module.
 */
export const encodeValue = (value: unknown): Uint8Array => {
  try {
    return V8.serialize(value)
  } catch (cause) {
    throw problem("DataCloneError", cause instanceof Error ? cause.message : "This value cannot be kept.", cause)
  }
}

export const decodeValue = (bytes: Uint8Array): unknown => {
  try {
    return V8.deserialize(bytes)
  } catch {
    throw damaged("it holds a value that cannot be read")
  }
}
