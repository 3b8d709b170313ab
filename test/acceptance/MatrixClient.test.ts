import { Effect, Layer } from "effect"
import { DeviceId, UserId } from "../../src/domain/Ids.ts"
import { makePerson } from "../../src/layers/Homeserver/Person.ts"
import { layer } from "../../src/layers/MatrixClient.ts"
import { contract } from "../layers/MatrixClient/Contract.ts"
import { type Account, World } from "../layers/MatrixClient/World.ts"
import { ask, logIn, makeAccount, synapse } from "./Homeserver.ts"

/** A person of the contract, whose requests go to Synapse. */
const signedIn = Effect.fnUntraced(function*(account: Account) {
  const { deviceId, token } = yield* logIn({ ...account, localpart: account.userId })
  return makePerson({
    userId: UserId.make(account.userId),
    deviceId: DeviceId.make(deviceId),
    accessToken: token,
    answer: ({ body, method, path, query }) =>
      ask(method, `${path}?${new URLSearchParams(query)}`, { token, ...(body === undefined ? {} : { body }) })
  })
})

const account = (name: string) =>
  Effect.map(makeAccount(name), ({ password, userId }) => ({ userId: UserId.make(userId), password }))

const onSynapse = Layer.succeed(
  World,
  World.of({
    homeserverUrl: new URL(synapse.url),
    account,
    person: (name) => Effect.flatMap(account(name), signedIn),
    otherDevice: signedIn,
    endSessions: (account) =>
      Effect.flatMap(signedIn(account), (_) => Effect.orDie(_.request("POST", "/_matrix/client/v3/logout/all", {}))),
    model: undefined
  })
)

contract("the Matrix client on Synapse", { world: onSynapse, client: layer, onModel: false })
