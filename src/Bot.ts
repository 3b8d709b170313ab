/** `homing`: what a bot of your own is made of. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { readConfig } from "./layers/AppConfig.ts"
import type { MatrixMedia } from "./layers/MatrixClient.ts"
import type { Responder } from "./layers/Responder.ts"
import { runConfigured } from "./programs/RunConfigured.ts"
import { runProcess } from "./RunProcess.ts"

export type { Attachment, AttachmentKind } from "./domain/Attachment.ts"
export type { Chat } from "./domain/Chat.ts"
export { AttachmentBroken, AttachmentTooLarge, MatrixFailure } from "./domain/Errors.ts"
export {
  file,
  type FileReply,
  type IncomingMessage,
  notice,
  type Reply,
  text,
  type TextReply
} from "./domain/Message.ts"
export { MatrixMedia } from "./layers/MatrixClient.ts"
export { Responder } from "./layers/Responder.ts"

/**
 * Runs a bot of your own as this process: all that `homing run` does, with your responder in place of the echo. Settings come
 * from the environment, `.env` and `homing.toml`; signals and failures end the process as they end `homing run`. `MatrixMedia` is there for
 * your responder to read files with.
 */
export const runBot = (responder: Layer.Layer<Responder, never, MatrixMedia>): void =>
  runProcess(
    readConfig({}).pipe(
      Effect.flatMap((report) => runConfigured(report, responder)),
      Effect.provide(NodeServices.layer)
    )
  )
