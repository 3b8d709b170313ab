import type { Layer } from "effect"
import { accountsContract } from "./Accounts.ts"
import { deviceListsContract } from "./DeviceLists.ts"
import { eventsContract } from "./Events.ts"
import { keysContract } from "./Keys.ts"
import { mediaContract } from "./Media.ts"
import { roomsContract } from "./Rooms.ts"
import type { Server } from "./Server.ts"
import { spacesContract } from "./Spaces.ts"
import { syncContract } from "./Syncing.ts"

/** What every homeserver does, written from the specification of the client-server API. */
export const clientServerContract = <E>(name: string, server: Layer.Layer<Server, E>) => {
  accountsContract(name, server)
  roomsContract(name, server)
  eventsContract(name, server)
  syncContract(name, server)
  spacesContract(name, server)
  keysContract(name, server)
  deviceListsContract(name, server)
  mediaContract(name, server)
}
