import { Effect, Layer, Random, Stream } from "effect"
import { Responder, runBot, text } from "homing"

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
