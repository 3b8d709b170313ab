import { Effect, Layer } from "effect"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Door } from "../../src/layers/Homeserver/Door.ts"
import { clientServerContract } from "./ClientServer.ts"
import { asker, Server } from "./Server.ts"

const sandbox = Layer.effect(
  Server,
  Effect.gen(function*() {
    const { url } = yield* Door
    const { serverName } = yield* Homeserver
    let count = 0
    return Server.of({
      baseUrl: url,
      serverName,
      account: Effect.fn("Server.account")(function*(name) {
        const localpart = `${name}-${++count}`
        const account = { localpart, userId: `@${localpart}:${serverName}`, password: "correct horse" }
        yield* asker(url)("POST", "/register", {
          body: {
            username: localpart,
            password: account.password,
            inhibit_login: true,
            auth: { type: "m.login.dummy" }
          }
        })
        return account
      })
    })
  })
).pipe(Layer.provide(Door.layer().pipe(Layer.provideMerge(Homeserver.layer()))))

clientServerContract("the homeserver in memory", sandbox)
