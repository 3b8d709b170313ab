import { Context, Effect, FileSystem, Layer } from "effect"
import { execFile } from "node:child_process"
import { randomUUID } from "node:crypto"
import { createServer } from "node:net"
import { join } from "node:path"
import { promisify } from "node:util"
import { Homeserver } from "../src/layers/Homeserver.ts"
import { Door } from "../src/layers/Homeserver/Door.ts"
import { type Fault, FaultEffect } from "../src/layers/Homeserver/Faults.ts"
import { signInEncrypting } from "./Encryption.ts"
import { names, type Person, signIn } from "./People.ts"

/** The homeserver of a run, with a bot's account and some people on it. */
export class Target extends Context.Service<Target, {
  readonly url: string
  readonly botId: string
  readonly password: string
  readonly people: ReadonlyArray<Person>
  /** What befalls the bot's requests; undefined where faults cannot be made. */
  readonly faults: {
    inject(fault: Fault): Effect.Effect<void>
    /** The bot's greeting in this room is refused for good. */
    refuseGreeting(room: string): Effect.Effect<void>
    readonly clear: Effect.Effect<void>
  } | undefined
}>()("homing/chaos/Target") {}

const serverName = "chaos.test"
const botId = `@homing:${serverName}`

interface TargetOptions {
  readonly encrypted: boolean
}

/** The in-memory homeserver behind its HTTP door. */
export const sandbox = ({ encrypted }: TargetOptions) =>
  Layer.unwrap(Effect.sync(() => {
    const password = randomUUID()
    return Layer.effect(
      Target,
      Effect.gen(function*() {
        const { url } = yield* Door
        const homeserver = yield* Homeserver
        const signInTo = encrypted ? signInEncrypting : signIn
        return {
          url,
          botId,
          password,
          people: yield* Effect.forEach(names, (name) => signInTo(url, name, password)),
          faults: {
            inject: (fault) => homeserver.inject({ ...fault, user: botId }),
            refuseGreeting: (room) =>
              homeserver.inject({
                method: "PUT",
                path: `${encodeURIComponent(room)}/send/m.room.${encrypted ? "encrypted" : "message"}/homing.invite`,
                effect: FaultEffect.Answer({ status: 403, body: { errcode: "M_FORBIDDEN", error: "Not here." } })
              }),
            clear: homeserver.clearFaults
          }
        }
      })
    ).pipe(
      Layer.provide(Door.layer()),
      Layer.provide(Homeserver.layer({ serverName, users: ["homing", ...names].map((name) => ({ name, password })) }))
    )
  }))

const script = join(import.meta.dirname, "../scripts/synapse.sh")

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

/** A Synapse of its own, as it comes but for its limits; it is gone after the run. */
export const synapse = ({ encrypted }: TargetOptions) =>
  Layer.effect(
    Target,
    Effect.gen(function*() {
      const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({
        prefix: "homing-chaos-synapse-"
      })
      const port = yield* freePort
      const env = {
        ...process.env,
        SYNAPSE_DATA: join(directory, "data"),
        SYNAPSE_PORT: String(port),
        SYNAPSE_SERVER_NAME: serverName
      }
      const verb = (...args: ReadonlyArray<string>) =>
        Effect.promise(() => promisify(execFile)(script, [...args], { env, timeout: 300_000 }))
      yield* verb("install")
      yield* Effect.acquireRelease(verb("start"), () => verb("wipe"))
      const url = `http://127.0.0.1:${port}`
      const password = randomUUID()
      yield* verb("register", "homing", password)
      const signInTo = encrypted ? signInEncrypting : signIn
      const people = yield* Effect.forEach(
        names,
        (name) => Effect.andThen(verb("register", name, password), signInTo(url, name, password))
      )
      return { url, botId, password, people, faults: undefined }
    })
  )
