/** Why a sandbox ends without being asked to. Exit codes follow sysexits.h, and the bot's own. */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { exitCode } from "../../domain/Errors.ts"

/** The homeserver cannot be served on loopback. */
export class NoDoor extends Schema.TaggedError<NoDoor>()("NoDoor", { port: Schema.Int, detail: Schema.String }) {
  override readonly [Runtime.errorExitCode] = exitCode.homeserverUnreachable
  override get message() {
    if (this.port !== 0 && this.detail.includes("EADDRINUSE")) {
      return `Port ${this.port} is taken by another program. Give the sandbox another --port, or none: it takes any free one.`
    }
    if (this.port !== 0 && this.detail.includes("EACCES")) {
      return `Port ${this.port} is not yours to take. Give the sandbox a --port above 1023, or none: it takes any free one.`
    }
    const needs = "The sandbox needs the loopback network of this machine (127.0.0.1)"
    return /ENETUNREACH|ENETDOWN|EADDRNOTAVAIL|nothing gets through/.test(this.detail)
      ? `${needs}, and it is down or shut. Bring it up ("ip link set lo up", by whoever may), or start the sandbox ` +
        "outside of the container or network namespace that has none."
      : `${needs}, and cannot use it: ${this.detail}.`
  }
}

/** The directory for the state cannot be made or changed. */
export class NoPlace extends Schema.TaggedError<NoPlace>()("NoPlace", {
  detail: Schema.String,
  /** A sentence. */
  advice: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = exitCode.storeUnusable
  override get message() {
    return `The sandbox cannot keep its state: ${this.detail}. ${this.advice}`
  }
}

/** The bot that is to be tried is not there. */
export class NoBot extends Schema.TaggedError<NoBot>()("NoBot", { file: Schema.String }) {
  override readonly [Runtime.errorExitCode] = 64
  override get message() {
    return `There is no file ${this.file}. Give --bot the file of a bot of your own, such as examples/dice.ts.`
  }
}

/** What an earlier run kept cannot be used. `detail` is all there is to say. */
export class NoWorld extends Schema.TaggedError<NoWorld>()("NoWorld", { detail: Schema.String }) {
  override readonly [Runtime.errorExitCode] = exitCode.storeUnusable
  override get message() {
    return this.detail
  }
}

/** The bot ended, and nobody here had asked it to. */
export class BotEnded extends Schema.TaggedError<BotEnded>()("BotEnded", {
  /** Of its process; 128 and the number of the signal when one ended it. */
  exitCode: Schema.Int,
  signal: Schema.NullOr(Schema.String),
  /** All that it wrote to standard error. */
  said: Schema.String
}) {
  override get [Runtime.errorExitCode]() {
    return this.exitCode
  }
  override get message() {
    const how = this.signal === null ? `ended by itself with exit code ${this.exitCode}` : `was ended by ${this.signal}`
    return `The bot ${how}, and the sandbox with it.${this.said === "" ? "" : ` It said:\n${this.said.trimEnd()}`}`
  }
}

/** For scripts: a line that was not answered must not look like one that was. */
export class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", { lines: Schema.Int }) {
  override readonly [Runtime.errorExitCode] = 1
  override get message() {
    return `${this.lines === 1 ? "A line" : `${this.lines} lines`} got no answer from the bot.`
  }
}
