import { Effect, Layer, Random, Stream } from "effect"
import { runBot } from "../src/Bot.ts"
import { text } from "../src/domain/Message.ts"
import { Responder } from "../src/layers/Responder.ts"

/** Rolls a die for everybody who writes "roll". */
export const dice = Layer.succeed(
  Responder,
  Responder.of({
    respond: (chat, message) =>
      message.body === "roll"
        ? Stream.fromEffect(Effect.map(Random.nextIntBetween(1, 6), (eyes) => text(`You rolled **${eyes}**.`)))
        : Stream.make(text(`This is *${chat.title}*. Write \`roll\`.`))
  })
)

if (import.meta.main) runBot(dice)
