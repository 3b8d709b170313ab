/**
 * What Homing is measured against: the fewest lines of matrix-js-sdk that answer. Nothing is kept on disk, nothing is sent
 * again, and a restart answers everything it is shown.
 */
import type { Logger } from "matrix-js-sdk/lib/logger.js"
import { MatrixClient, Method, RoomEvent } from "matrix-js-sdk/lib/matrix.js"

const nothing = () => {}
const logger: Logger = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  getChild: () => logger
}

const { BARE_DEVICE: deviceId = "", BARE_TOKEN: accessToken = "", BARE_URL: baseUrl = "", BARE_USER: userId = "" } =
  process.env
const client = new MatrixClient({ accessToken, baseUrl, deviceId, disableVoip: true, logger, userId })

client.on(RoomEvent.Timeline, (event, room) => {
  if (room === undefined || event.getType() !== "m.room.message" || event.getSender() === userId) return
  const reply = { msgtype: "m.text", body: event.getContent()["body"] }
  const relation = { "m.relates_to": { "m.in_reply_to": { event_id: event.getId() } } }
  client.http.authedRequest(
    Method.Put,
    `/rooms/${encodeURIComponent(room.roomId)}/send/m.room.message/${client.makeTxnId()}`,
    undefined,
    { ...reply, ...relation }
  ).catch((error) => {
    console.error(error)
    process.exit(1)
  })
})
await client.startClient({ disablePresence: true })
