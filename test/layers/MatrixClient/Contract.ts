import type { ContractOptions } from "./Harness.ts"
import { roomsContract } from "./RoomsContract.ts"
import { sessionContract } from "./SessionContract.ts"
import { syncContract } from "./SyncContract.ts"

/** What every Matrix client does, on any homeserver. */
export const contract = <R, E>(name: string, options: ContractOptions<R, E>) => {
  sessionContract(name, options)
  syncContract(name, options)
  roomsContract(name, options)
}
