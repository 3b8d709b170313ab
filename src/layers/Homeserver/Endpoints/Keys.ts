/** Device keys, to-device messages and key backup. */
import * as Schema from "effect/Schema"
import { claimKeys, queryKeys, sendToDevice, uploadKeys } from "../Keys.ts"
import { notFound } from "../Refusal.ts"
import { at, route, routeBody } from "../Router.ts"

const Content = Schema.Record(Schema.String, Schema.Unknown)

export const keyRoutes = [
  routeBody(
    "POST",
    "/_matrix/client/v3/keys/upload",
    Schema.Struct({
      device_keys: Schema.optional(Content),
      one_time_keys: Schema.optional(Content),
      fallback_keys: Schema.optional(Content)
    }),
    (call, body) => uploadKeys(call.world, call.device, body)
  ),
  routeBody(
    "POST",
    "/_matrix/client/v3/keys/query",
    Schema.Struct({ device_keys: Schema.Record(Schema.String, Schema.Array(Schema.String)) }),
    (call, body) => queryKeys(call.world, body.device_keys)
  ),
  routeBody(
    "POST",
    "/_matrix/client/v3/keys/claim",
    Schema.Struct({ one_time_keys: Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.String)) }),
    (call, body) => claimKeys(call.world, body.one_time_keys)
  ),
  routeBody(
    "PUT",
    "/_matrix/client/v3/sendToDevice/{type}/{txnId}",
    Schema.Struct({ messages: Schema.Record(Schema.String, Schema.Record(Schema.String, Content)) }),
    (call, body) => {
      const { device, request, user, world } = call
      if (!device.transactions.has(request.path)) sendToDevice(world, user.userId, at(call).type, body.messages)
      device.transactions.set(request.path, "")
      return {}
    }
  ),
  route("GET", "/_matrix/client/v3/room_keys/version", () => {
    throw notFound("No current backup version")
  })
]
