/** Device keys, cross-signing and to-device messages. */
import * as Schema from "effect/Schema"
import { queryCrossSigning, uploadCrossSigning, uploadSignatures } from "../CrossSigning.ts"
import { deviceLists } from "../DeviceLists.ts"
import { claimKeys, queryDevices, sendToDevice, uploadKeys } from "../Keys.ts"
import { positionOfSyncToken } from "../Model.ts"
import { missingParam } from "../Refusal.ts"
import { at, route, routeBody } from "../Router.ts"
import { Auth, confirm } from "./Confirmation.ts"

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
    ({ user, world }, { device_keys }) => ({
      device_keys: queryDevices(world, device_keys),
      ...queryCrossSigning(world, user, Object.keys(device_keys)),
      failures: {}
    })
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
  routeBody(
    "POST",
    "/_matrix/client/v3/keys/device_signing/upload",
    Schema.Struct({
      auth: Auth,
      master_key: Schema.optional(Content),
      self_signing_key: Schema.optional(Content),
      user_signing_key: Schema.optional(Content)
    }),
    (call, body) => {
      // The first keys need no more than the token; who replaces them must be the user ("Uploading signing keys").
      if (call.user.crossSigning.has("master")) confirm(call, body.auth)
      uploadCrossSigning(call.world, call.user, body)
      return {}
    }
  ),
  routeBody(
    "POST",
    "/_matrix/client/v3/keys/signatures/upload",
    Schema.Record(Schema.String, Schema.Record(Schema.String, Content)),
    (call, body) => uploadSignatures(call.world, body)
  ),
  route("GET", "/_matrix/client/v3/keys/changes", ({ request: { query }, user, world }) => {
    if (query["from"] === undefined) throw missingParam("from is needed")
    return { ...deviceLists(world, user, positionOfSyncToken(world, query["from"])) }
  })
]
