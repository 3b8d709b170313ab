import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { AppConfig, type Settings } from "../layers/AppConfig.ts"
import type { ConfigReport } from "../layers/AppConfig/Resolution.ts"
import * as HttpTransport from "../layers/MatrixClient/HttpTransport.ts"
import { Store } from "../layers/Store.ts"
import { type Check, fail, ok, rendered, warn } from "./Doctor/Check.ts"
import { checkDirectory, checkStore } from "./Doctor/DataChecks.ts"
import { checkKeys } from "./Doctor/KeyChecks.ts"
import { checkRunning } from "./Doctor/RunningCheck.ts"
import { checkServer } from "./Doctor/ServerChecks.ts"

/** Some checks failed. Exits as the first of them would end `homing run`. */
export class DoctorFoundProblems extends Schema.TaggedError<DoctorFoundProblems>()("DoctorFoundProblems", {
  failed: Schema.Number,
  checks: Schema.Number,
  code: Schema.Number
}) {
  override get [Runtime.errorExitCode]() {
    return this.code
  }
  override get message() {
    return `${this.failed} of ${this.checks} checks failed.`
  }
}

/** `homing doctor`: looks at everything that a start needs, changes nothing, and says what to do. */
export const doctor = Effect.fn("Doctor")(function*(report: ConfigReport) {
  const checks = yield* examine(report)
  yield* Console.log(rendered(checks))
  const failed = checks.filter(({ verdict }) => verdict === "fail")
  const [first] = failed
  if (first !== undefined) {
    return yield* new DoctorFoundProblems({ failed: failed.length, checks: checks.length, code: first.code })
  }
})

/** Everything that can be looked at, in the order in which a start needs it. */
export const examine = Effect.fn("Doctor.examine")(function*(report: ConfigReport) {
  const configuration = checkConfiguration(report)
  if (report.settings === undefined) return configuration
  const rest = examineWith(report.settings).pipe(
    Effect.provide([Layer.succeed(AppConfig, report.settings), HttpTransport.layer])
  )
  return [...configuration, ...(yield* rest)]
})

const checkConfiguration = ({ problems, warnings }: ConfigReport): ReadonlyArray<Check> => {
  const name = "configuration"
  if (problems.length > 0) {
    return problems.map(({ names, problem, setting }) =>
      fail(name, `${setting}: ${problem}`, `Set it with ${names.join(", ")}`, "badConfig")
    )
  }
  return warnings.length === 0
    ? [ok(name, "It has no problems.")]
    : warnings.map((warning) => warn(name, warning, `"homing config" shows what is in use.`))
}

const examineWith = Effect.fnUntraced(function*({ dataDir, statusPort }: Settings) {
  const directory = yield* checkDirectory(dataDir)
  const data = yield* examineData(dataDir)
  const running = yield* checkRunning({ runs: data.runs, statusPort })
  const { checks: keys, kept } = yield* checkKeys(data.session)
  const server = yield* checkServer(data.session, kept)
  return [directory, ...data.checks, ...keys, ...running, ...server]
})

/** Reads only, so that a bot that runs on it is not disturbed. */
const examineData = Effect.fnUntraced(function*(dataDir: string) {
  const path = yield* Path.Path
  // What may not be read is no database that is yet to be made: the store tells of it.
  const isMissing = yield* FileSystem.FileSystem.use((files) => files.stat(path.join(dataDir, "homing.db"))).pipe(
    Effect.as(false),
    Effect.catch(({ reason }) => Effect.succeed(reason._tag === "NotFound"))
  )
  if (isMissing) {
    return { checks: [ok("database", "There is none yet; the first start makes it.")], session: undefined, runs: false }
  }
  const look = Effect.gen(function*() {
    const { session } = yield* Store
    const holder = yield* Store.holder
    return { checks: yield* checkStore(holder), session: yield* session.load, runs: holder !== undefined }
  })
  const seen = yield* Effect.result(look.pipe(Effect.provide(Store.layerReadOnly)))
  return Result.match(seen, {
    onSuccess: (seen) => seen,
    onFailure: (error) => ({
      checks: [fail("database", error.message, undefined, "storeUnusable")],
      session: undefined,
      runs: false
    })
  })
})
