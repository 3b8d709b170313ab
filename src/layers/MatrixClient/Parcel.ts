import * as Effect from "effect/Effect"
import { encryptedFileOf, type Upload } from "../../domain/Attachment.ts"
import type { MatrixFailure } from "../../domain/Errors.ts"
import type { MxcUri } from "../../domain/Ids.ts"
import type { OutgoingFile } from "../../domain/Message.ts"
import { sealFile } from "./FileCrypto.ts"
import { failure } from "./Requests.ts"
import type { KnownRoom } from "./Sealing.ts"

/**
 * Bytes that may be uploaded for a room: made from a proof of its encryption, and in no other way. For an encrypted room they are encrypted, and
 * nothing else is told of them.
 */
export class Parcel {
  readonly bytes: Uint8Array
  readonly mimetype: string
  readonly name: string | undefined
  /** What is known of the file once it has a place. */
  readonly uploadedTo: (url: MxcUri) => Upload

  private constructor(
    { bytes, mimetype }: OutgoingFile,
    name: string | undefined,
    uploadedTo: (url: MxcUri) => Upload
  ) {
    this.bytes = bytes
    this.mimetype = mimetype
    this.name = name
    this.uploadedTo = uploadedTo
  }

  static readonly pack = (room: KnownRoom, file: OutgoingFile, name: string | undefined): Parcel => {
    if (room._tag === "PlainRoom") return new Parcel(file, name, (url) => ({ _tag: "InClear", url }))
    const { ciphertext, secrets } = sealFile(file.bytes)
    return new Parcel(
      { bytes: ciphertext, mimetype: "application/octet-stream" },
      undefined,
      (url) => ({ _tag: "Sealed", url, ...secrets })
    )
  }
}

/**
 * How a message in this room says where its file is; undefined when it has to be uploaded first, or anew: in clear it is nothing for a room that
 * has become encrypted. Fails when the room seems to have become a plain one, which no room does: the key of the file would go out in clear.
 */
export const referenceIn = (
  room: KnownRoom,
  upload: Upload
): Effect.Effect<Readonly<Record<string, unknown>> | undefined, MatrixFailure> => {
  switch (upload._tag) {
    case "Waiting":
      return Effect.succeed(undefined)
    case "InClear":
      return Effect.succeed(room._tag === "PlainRoom" ? { url: upload.url } : undefined)
    case "Sealed":
      return room._tag === "PlainRoom" ? Effect.fail(noLongerSecret) : Effect.succeed({ file: encryptedFileOf(upload) })
  }
}

const detail = "The file was encrypted for this room, which is told to be a plain one now."
const noLongerSecret = failure("send file", { _tag: "Unreachable", detail }, detail)
