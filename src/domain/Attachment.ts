import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { codeSpan } from "./CodeSpan.ts"
import { MxcUri } from "./Ids.ts"
import { plural } from "./Plural.ts"

export type AttachmentKind = "image" | "file" | "audio" | "video"

/** The file that a message carries, as its sender describes it: all of it may be untrue, but for `url` and `secrets` without which it is not read. */
export interface Attachment {
  readonly kind: AttachmentKind
  /** One line without control characters, and no path: at most 255 characters. */
  readonly name: string
  /** Such as `image/png`, in small letters and without parameters. */
  readonly mimetype: string | undefined
  /** Bytes. */
  readonly size: number | undefined
  readonly url: MxcUri
  /** What opens a file that its sender has encrypted. */
  readonly secrets: Redacted.Redacted<FileSecrets> | undefined
}

const base64 = (pattern: RegExp, expected: string) =>
  Schema.String.pipe(Schema.check(Schema.isPattern(pattern, { expected })))

const secretFields = {
  /** 256 bits, in URL-safe base64. */
  key: base64(/^[A-Za-z0-9_-]{43}=?$/, "a key of 256 bits"),
  /** 128 bits: where the counter begins. */
  iv: base64(/^[A-Za-z0-9+/]{22}(?:==)?$/, "128 bits"),
  /** Of what was uploaded. */
  sha256: base64(/^[A-Za-z0-9+/]{43}=?$/, "a SHA-256")
}

/** What opens an encrypted file, and tells whether it is the one that was sent: in base64. */
export interface FileSecrets extends Schema.Struct.Type<typeof secretFields> {}

/** Where a file that is to be sent is by now. What was uploaded encrypted has its own secrets. */
export const Upload = Schema.Union([
  Schema.TaggedStruct("Waiting", {}),
  Schema.TaggedStruct("InClear", { url: MxcUri }),
  Schema.TaggedStruct("Sealed", { url: MxcUri, ...secretFields })
])
export type Upload = typeof Upload.Type
export type Sealed = Extract<Upload, { readonly _tag: "Sealed" }>

// --- the `file` of an event (Client-Server API, "Sending encrypted attachments")

const EncryptedFile = Schema.Struct({
  url: MxcUri,
  key: Schema.Struct({ kty: Schema.Literal("oct"), alg: Schema.Literal("A256CTR"), k: secretFields.key }),
  iv: secretFields.iv,
  hashes: Schema.Struct({ sha256: secretFields.sha256 }),
  v: Schema.Literal("v2")
})
const decodeEncryptedFile = Schema.decodeUnknownOption(EncryptedFile)

export const encryptedFileOf = ({ iv, key, sha256, url }: Sealed) => ({
  url,
  key: { kty: "oct", alg: "A256CTR", k: key, key_ops: ["encrypt", "decrypt"], ext: true },
  iv,
  hashes: { sha256 },
  v: "v2"
})

// --- reading one

const kinds: ReadonlyMap<unknown, AttachmentKind> = new Map([
  ["m.image", "image"],
  ["m.file", "file"],
  ["m.audio", "audio"],
  ["m.video", "video"]
])

export const isAttachmentType = (msgtype: unknown): boolean => kinds.has(msgtype)

type Content = Readonly<Record<string, unknown>>

/**
 * The file of an `m.image`, `m.file`, `m.audio` or `m.video`; undefined when it cannot be found by what stands there. `body` is the event's: the
 * name of the file, unless it has one of its own.
 */
export const readAttachment = (content: Content, body: string): Attachment | undefined => {
  const kind = kinds.get(content["msgtype"])
  const place = placeOf(content)
  if (kind === undefined || place === undefined) return undefined
  const info = infoOf(content["info"])
  return {
    kind,
    name: cleanFileName(nameIn(content) ?? body),
    mimetype: typeof info.mimetype === "string" ? cleanMimetype(info.mimetype) : undefined,
    size: Number.isSafeInteger(info.size) && Number(info.size) >= 0 ? Number(info.size) : undefined,
    ...place
  }
}

/** What is said with a file: its `body`, when it has a name besides (Client-Server API, "Media captions"). */
export const captionOf = (content: Content, body: string): string => {
  const name = nameIn(content)
  return name === undefined || name === body ? "" : body
}

const nameIn = ({ filename }: Content): string | undefined =>
  typeof filename === "string" && filename !== "" ? filename : undefined

/** A file that is encrypted is never looked for anywhere else. */
const placeOf = ({ file, url }: Content): Pick<Attachment, "url" | "secrets"> | undefined => {
  if (file === undefined) {
    return Option.getOrUndefined(Option.map(decodeUrl(url), (url) => ({ url, secrets: undefined })))
  }
  return Option.getOrUndefined(Option.map(decodeEncryptedFile(file), ({ hashes, iv, key, url }) => ({
    url,
    secrets: Redacted.make({ key: key.k, iv, sha256: hashes.sha256 })
  })))
}

const decodeUrl = Schema.decodeUnknownOption(MxcUri)

const infoOf = (info: unknown): { readonly mimetype?: unknown; readonly size?: unknown } =>
  typeof info === "object" && info !== null ? info : {}

// --- names and types

const longestName = 255

/** A name that can be shown, and used as one of a file: no control or invisible characters, no path. */
export const cleanFileName = (name: string): string => {
  const clean = name.slice(0, 4 * longestName).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "").replace(/[/\\]/g, "_").trim()
  const cut = clean.slice(0, longestName).toWellFormed()
  return /^\.*$/.test(cut) ? "attachment" : cut
}

const mimetypePattern = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/

/** `image/png` of `Image/PNG; q=1`; undefined when it is no type (RFC 6838, section 4.2). Whatever comes out can stand in a header. */
export const cleanMimetype = (mimetype: string): string | undefined => {
  const [type = ""] = mimetype.slice(0, 300).toLowerCase().split(";")
  return mimetypePattern.test(type.trim()) ? type.trim() : undefined
}

/** How a file of this type is sent. */
export const kindOf = (mimetype: string): AttachmentKind => {
  const [type] = mimetype.split("/")
  return type === "image" || type === "audio" || type === "video" ? type : "file"
}

// --- in words

/** `714 bytes`, `12 kB`, `3.4 MB`. */
export const sizeText = (bytes: number): string => {
  if (bytes < 1000) return plural(bytes, "byte")
  return bytes < 999_500 ? `${Math.round(bytes / 1000)} kB` : `${Number((bytes / 1e6).toFixed(1))} MB`
}

const nouns: Readonly<Record<AttachmentKind, string>> = {
  image: "an image",
  file: "a file",
  audio: "an audio file",
  video: "a video"
}

/** What an attachment is said to be, in markdown. */
export const attachmentText = ({ kind, mimetype, name, size }: Attachment): string => {
  const about = [mimetype, size === undefined ? undefined : sizeText(size)].filter((part) => part !== undefined)
  return `${nouns[kind]}, ${codeSpan(name)}${about.length === 0 ? "" : ` (${about.join(", ")})`}`
}

/** Bytes that the files of one answer may have together: they are kept in the database until they are sent. */
export const largestFiles = 20_000_000
