import { expectTypeOf, it } from "@effect/vitest"
import type { Effect } from "effect"
import type { AccountLook } from "../../src/layers/AccountLook.ts"
import type { MatrixMessages, MatrixProvisioning, MatrixRooms } from "../../src/layers/MatrixClient.ts"
import type { Store } from "../../src/layers/Store.ts"
import type { runCommand } from "../../src/programs/Commands.ts"
import type { diagnose } from "../../src/programs/Diagnose.ts"
import type { fillGaps } from "../../src/programs/FillGaps.ts"
import type { handleInvite } from "../../src/programs/HandleInvite.ts"
import type { ingest } from "../../src/programs/Ingest.ts"
import type { lookAndDecide } from "../../src/programs/PreviewReconciliation.ts"
import type { provisionChat } from "../../src/programs/Provision.ts"
import type { reconcileAll, reconcileChange, reconcileRoom, reconcileSuspect } from "../../src/programs/Reconcile.ts"
import type { resolveChat, resolveOpenChat } from "../../src/programs/Resolve.ts"
import type { initialSync } from "../../src/programs/SyncLoop.ts"
import type { reconcileAndTell } from "../../src/programs/TellAdmins.ts"

// What a program may do stands in its type. These fail in `tsc`, before anything runs.

type Powers<Program extends (...args: never) => Effect.Effect<unknown, unknown, unknown>> = Effect.Services<
  ReturnType<Program>
>

it("reconciling, repairing and resolving can read rooms, but neither change nor make them, nor speak in them", () => {
  expectTypeOf<Extract<Powers<typeof reconcileAll>, MatrixProvisioning | MatrixMessages>>().toBeNever()
  expectTypeOf<Extract<Powers<typeof reconcileRoom>, MatrixProvisioning | MatrixMessages>>().toBeNever()
  expectTypeOf<Extract<Powers<typeof reconcileChange>, MatrixProvisioning | MatrixMessages>>().toBeNever()
  expectTypeOf<Extract<Powers<typeof reconcileSuspect>, MatrixProvisioning | MatrixMessages>>().toBeNever()
  expectTypeOf<Extract<Powers<typeof resolveChat>, MatrixProvisioning | MatrixMessages>>().toBeNever()
  expectTypeOf<Extract<Powers<typeof resolveOpenChat>, MatrixProvisioning | MatrixMessages>>().toBeNever()
  expectTypeOf<MatrixRooms>().toExtend<Powers<typeof reconcileAll>>()
})

it("nor can what takes a message from the sync to its room", () => {
  expectTypeOf<Extract<Effect.Services<typeof initialSync>, MatrixProvisioning | MatrixMessages>>().toBeNever()
  expectTypeOf<Extract<Powers<typeof reconcileAndTell>, MatrixProvisioning | MatrixMessages>>().toBeNever()
  expectTypeOf<Extract<Powers<typeof ingest>, MatrixProvisioning | MatrixMessages>>().toBeNever()
  expectTypeOf<Extract<Powers<typeof diagnose>, MatrixProvisioning | MatrixMessages>>().toBeNever()
  expectTypeOf<Extract<Powers<typeof fillGaps>, MatrixProvisioning | MatrixMessages>>().toBeNever()
})

it("commands and invites may change rooms", () => {
  expectTypeOf<MatrixProvisioning>().toExtend<Powers<typeof provisionChat>>()
  expectTypeOf<MatrixProvisioning>().toExtend<Powers<typeof runCommand>>()
  expectTypeOf<MatrixProvisioning>().toExtend<Powers<typeof handleInvite>>()
})

it("a dry run has nothing to change with: it looks at the account and at the store", () => {
  expectTypeOf<Effect.Services<typeof lookAndDecide>>().toEqualTypeOf<AccountLook | Store>()
})
