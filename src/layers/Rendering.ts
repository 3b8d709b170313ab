import * as Effect from "effect/Effect"
import { cleanFileName, cleanMimetype, kindOf } from "../domain/Attachment.ts"
import { type Part, partKey, transactionIdOf } from "../domain/Delivery.ts"
import type { EventId, UserId } from "../domain/Ids.ts"
import type { FileReply, IncomingMessage, OutgoingFile, OutgoingMessage, Reply, TextReply } from "../domain/Message.ts"
import { reactionType } from "../domain/Prompt.ts"
import { relationIn } from "../domain/Relation.ts"

/** Longer replies are sent as plain text: rendering takes more than linear time and stack on hostile markdown. */
const longestMarkdown = 16_000

/**
 * Bytes of JSON that the content of an event may take. The whole event may have 65,536 (Client-Server API, "Size limits"): this
 * leaves room for what the server adds, and for the third by which encryption makes it larger.
 */
const largestContent = 45_000

/** What the specification lets a client show (Client-Server API, "m.room.message msgtypes", `org.matrix.custom.html`). */
const sanitizing = {
  allowedTags: (
    "del h1 h2 h3 h4 h5 h6 blockquote p a ul ol sup sub li b i u strong em s code hr br div table thead tbody tr th td " +
    "caption pre span details summary"
  ).split(" "),
  allowedAttributes: { a: ["href"], ol: ["start"], code: ["class"] },
  allowedClasses: { code: ["language-*"] },
  allowedSchemes: ["https", "http", "ftp", "mailto", "magnet"],
  allowProtocolRelative: false,
  nestingLimit: 90
}

/** Loaded with the first reply that has markup in it: together they cost 140 ms. */
const libraries = Effect.runSync(Effect.cached(Effect.promise(async () => {
  const [{ marked }, { default: sanitize }] = await Promise.all([import("marked"), import("sanitize-html")])
  return (markdown: string) => sanitize(marked.parse(markdown, { async: false, gfm: true }), sanitizing).trim()
})))

const hasMarkup = /[*_`~#>[\]<&|\\]|^\s*(?:[-+]|\d+[.)])\s|^\s*[-=]{2,}\s*$|https?:|\n/m

/** Markdown as Matrix HTML, sanitised; undefined when plain text says it all. Never fails: what cannot be rendered stays plain. */
export const toMatrixHtml = Effect.fnUntraced(
  function*(markdown: string) {
    if (markdown.length > longestMarkdown || !hasMarkup.test(markdown)) return undefined
    const render = yield* libraries
    return render(markdown)
  },
  // The renderer throws on markdown that nests too deep.
  Effect.catchDefect((defect) =>
    Effect.as(Effect.logDebug("markdown_not_rendered", String(defect).slice(0, 200)), undefined)
  )
)

const encoder = new TextEncoder()

/** What a value takes in an event: canonical JSON escapes as `JSON.stringify` does, and only orders the keys (Appendices, "Canonical JSON"). */
const jsonBytes = (value: unknown): number => encoder.encode(JSON.stringify(value)).length

/** What a text takes inside a string of JSON, without the quotes around it. */
const textBytes = (text: string): number => jsonBytes(text) - 2

const cutNotice = "\n… (cut: too long for one message)"

/** Cuts to so many bytes of JSON, never inside a character, and says that it did. */
export const cutToBytes = (text: string, bytes: number): string => {
  if (textBytes(text) <= bytes) return text
  let room = bytes - textBytes(cutNotice)
  let end = 0
  for (const character of text) {
    room -= textBytes(character)
    if (room < 0) break
    end += character.length
  }
  return text.slice(0, end) + cutNotice
}

/**
 * The `m.room.message` content of a text. `around` is what else stands in it, such as relations: it takes room too. So does what stands
 * beside it, which is `taken` bytes.
 */
export const contentOf = Effect.fnUntraced(function*(
  reply: TextReply,
  around: Readonly<Record<string, unknown>> = {},
  taken = 0
) {
  const largest = largestContent - taken
  const empty = { msgtype: reply.kind === "notice" ? "m.notice" : "m.text", body: "", ...around }
  // Half a surrogate pair has no UTF-8: a homeserver refuses it, or fails on it again and again.
  const body = cutToBytes(reply.markdown.toWellFormed(), largest - jsonBytes(empty))
  const html = yield* toMatrixHtml(body)
  const plain = { ...empty, body }
  if (html === undefined) return plain
  const rendered = { ...plain, format: "org.matrix.custom.html", formatted_body: html }
  return jsonBytes(rendered) <= largest ? rendered : plain
})

/** What is no type is just bytes: a client then offers to save it. */
const fileOf = ({ bytes, mimetype }: FileReply): OutgoingFile => ({
  bytes,
  mimetype: cleanMimetype(mimetype) ?? "application/octet-stream"
})

/** The same of a file (Client-Server API, "Media captions"), but for where it is: that is known once it was uploaded. */
const fileContentOf = Effect.fnUntraced(function*(
  reply: FileReply,
  around: Readonly<Record<string, unknown>>
) {
  const { bytes, mimetype } = fileOf(reply)
  const filename = cleanFileName(reply.name)
  const about = { ...around, filename, info: { mimetype, size: bytes.byteLength } }
  const said = reply.caption === undefined || reply.caption === ""
    ? { ...about, body: filename }
    : yield* contentOf({ markdown: reply.caption, kind: "text" }, about)
  return { ...said, msgtype: `m.${kindOf(mimetype)}` }
})

/** Where a reply stands: it refers to the message that it answers, and stays in its thread (Client-Server API, "Rich replies", "Threading"). */
const relationTo = (question: EventId, threadRoot: EventId | undefined, part: Part) => {
  const inReplyTo = { "m.in_reply_to": { event_id: question }, ...(part.of > 1 ? { [partKey]: part } : {}) }
  return threadRoot === undefined
    ? inReplyTo
    : { rel_type: "m.thread", event_id: threadRoot, is_falling_back: false, ...inReplyTo }
}

/** A text in the place of a message, where that stands; it is no part of what that was a part of. */
export const inPlaceOf = ({ content }: OutgoingMessage, reply: TextReply) => {
  const relation = relationIn(content)
  const around = relation === undefined
    ? {}
    : { "m.relates_to": Object.fromEntries(Object.entries(relation).filter(([key]) => key !== partKey)) }
  return contentOf(reply, { ...around, "m.mentions": content["m.mentions"] ?? {} })
}

/** What an answer has to know of its question. Where that is an edit, the answer stands with the message that is edited. */
export type Question =
  & Pick<IncomingMessage, "eventId" | "roomId" | "sender" | "threadRoot">
  & Partial<Pick<IncomingMessage, "replaces">>

/** Replies to a message as they go into the outbox: content, relation and transaction id are fixed here. */
export const answersTo = (
  message: Question,
  replies: ReadonlyArray<Reply>
): Effect.Effect<ReadonlyArray<OutgoingMessage>> =>
  Effect.map(repliesTo(message, replies), (answers) => [...answers, ...buttonsUnder(message, replies)])

/** The reactions that replies have for buttons: each points at the transaction id of its reply. */
const buttonsUnder = ({ eventId, roomId }: Question, replies: ReadonlyArray<Reply>): ReadonlyArray<OutgoingMessage> =>
  replies.flatMap((reply, part) =>
    (reply.kind === "file" ? [] : reply.buttons ?? []).map((key, n) => ({
      roomId,
      transactionId: transactionIdOf(`${eventId} button ${part}`, n),
      type: reactionType,
      content: { "m.relates_to": { rel_type: "m.annotation", key } },
      target: transactionIdOf(eventId, part)
    }))
  )

/** The replies alone. */
export const repliesTo = (
  message: Question,
  replies: ReadonlyArray<Reply>
): Effect.Effect<ReadonlyArray<OutgoingMessage>> =>
  Effect.forEach(replies, (reply, part) => {
    const around = {
      "m.mentions": { user_ids: [message.sender] satisfies ReadonlyArray<UserId> },
      "m.relates_to": relationTo(message.replaces ?? message.eventId, message.threadRoot, {
        number: part + 1,
        of: replies.length
      })
    }
    return Effect.map(
      reply.kind === "file" ? fileContentOf(reply, around) : contentOf(reply, around),
      (content): OutgoingMessage => ({
        roomId: message.roomId,
        transactionId: transactionIdOf(message.eventId, part),
        type: "m.room.message",
        content,
        ...(reply.kind === "file" ? { file: fileOf(reply) } : {})
      })
    )
  })

/** A message that answers nothing, such as a greeting. `key` names it: the same key gives the same transaction id. */
export const statement = (
  roomId: OutgoingMessage["roomId"],
  key: string,
  reply: TextReply
): Effect.Effect<OutgoingMessage> =>
  Effect.map(contentOf(reply, { "m.mentions": {} }), (content) => ({
    roomId,
    transactionId: transactionIdOf(key, 0),
    type: "m.room.message",
    content
  }))
