import { Effect, Layer, Random, Stream } from "effect"
import { Responder, runBot, text } from "homing"
import { dice } from "./dice.ts"

/** Flips a coin, whatever is said. */
const coin = Layer.succeed(
  Responder,
  Responder.of({
    respond: () =>
      Stream.fromEffect(
        Effect.map(Random.nextBoolean, (heads) => text(heads ? "It is **heads**." : "It is **tails**."))
      )
  })
)

/** Two in one bot: the owner of each chat chooses with `!set responder coin`. */
export const games = Responder.layerSeveral({ dice, coin }, {
  default: "dice",
  about: { dice: "I roll a die when you write roll", coin: "I flip a coin for whatever you say" }
})

if (import.meta.main) runBot(games)
