import { Effect, Layer, Stream } from "effect"
import { file, MatrixMedia, Responder, runBot, text } from "homing"

/** Gives everybody who sends a file a receipt for it: its size, its SHA-256, and both in a small text file. */
export const receipt = Layer.effect(
  Responder,
  Effect.gen(function*() {
    const media = yield* MatrixMedia
    return Responder.of({
      respond: (_chat, { attachment }) => {
        if (attachment === undefined) return Stream.make(text("Send me a file."))
        return media.download(attachment, { limit: 10_000_000 }).pipe(
          Effect.flatMap((bytes) => Effect.promise(() => receiptFor(attachment.name, bytes))),
          Effect.map((lines) => [
            text(lines),
            file({ name: "receipt.txt", mimetype: "text/plain", bytes: new TextEncoder().encode(lines) })
          ]),
          Effect.catchTag(
            "AttachmentTooLarge",
            () => Effect.succeed([text("That is more than I can read: 10 MB.")])
          ),
          Stream.fromIterableEffect
        )
      }
    })
  })
)

const receiptFor = async (name: string, bytes: Uint8Array): Promise<string> => {
  const hash = await crypto.subtle.digest("SHA-256", new Uint8Array(bytes))
  return `${name}\n${bytes.length} bytes\nSHA-256 ${Buffer.from(hash).toString("hex")}`
}

if (import.meta.main) runBot(receipt)
