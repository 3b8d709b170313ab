import { expectTypeOf, it } from "@effect/vitest"
import type { Effect } from "effect"
import type { MatrixFailure } from "../../src/domain/Errors.ts"
import type { RoomId } from "../../src/domain/Ids.ts"
import type {
  Content,
  EncryptedRoom,
  Envelope,
  KnownRoom,
  PlainRoom,
  Sealing
} from "../../src/layers/MatrixClient/Sealing.ts"

// What may be sent stands in its type. These fail in `tsc`, before anything runs.

it("nobody makes a proof that a room is plain, or encrypted, out of what a proof is made of", () => {
  expectTypeOf<{ readonly _tag: "PlainRoom"; readonly roomId: RoomId }>().not.toExtend<PlainRoom>()
  expectTypeOf<
    {
      readonly _tag: "EncryptedRoom"
      readonly roomId: RoomId
      readonly encrypt: (said: Content) => Effect.Effect<Content, MatrixFailure>
    }
  >().not.toExtend<EncryptedRoom>()
})

it("one proof is not the other", () => {
  expectTypeOf<PlainRoom>().not.toExtend<EncryptedRoom>()
  expectTypeOf<EncryptedRoom>().not.toExtend<PlainRoom>()
})

it("an envelope is made of a proof, and a proof given by the one service that looks", () => {
  expectTypeOf<Parameters<typeof Envelope.seal>[0]>().toEqualTypeOf<KnownRoom>()
  expectTypeOf<ReturnType<Sealing["Service"]["of"]>>().toEqualTypeOf<Effect.Effect<KnownRoom, MatrixFailure>>()
  expectTypeOf<{ readonly type: string; readonly content: Content["content"]; readonly roomId: RoomId }>()
    .not.toExtend<Envelope>()
})
