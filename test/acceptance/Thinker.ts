import { Deferred, Effect, Layer, Stream } from "effect"
import { Responder, runBot, text } from "homing"

/** Says what it hears, and "think" only once it has heard "enough", in another room. */
const thinker = Layer.effect(
  Responder,
  Effect.map(Deferred.make<void>(), (enough) =>
    Responder.of({
      respond: (_chat, { body }) =>
        Stream.fromEffect(
          (body === "enough"
            ? Deferred.succeed(enough, undefined)
            : body === "think"
            ? Deferred.await(enough)
            : Effect.void).pipe(Effect.as(text(body)))
        )
    }))
)

runBot(thinker)
