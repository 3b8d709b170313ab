import { Layer } from "effect"
import { clientServerContract } from "../contract/ClientServer.ts"
import { Server } from "../contract/Server.ts"
import { makeAccount, synapse } from "./Homeserver.ts"

const { serverName, url } = synapse

clientServerContract("Synapse", Layer.succeed(Server, Server.of({ baseUrl: url, serverName, account: makeAccount })))
