/**
 * Loaded into the bot's process before its own code: kills it as by `kill -9` just before or just after the nth commit to the
 * file of its keys. HOMING_CHAOS_KILL_AT_COMMIT is `before:n` or `after:n`.
 */
import { DatabaseSync } from "node:sqlite"

const [when, times] = (process.env.HOMING_CHAOS_KILL_AT_COMMIT ?? "").split(":")
let left = Number(times)
const { exec } = DatabaseSync.prototype

DatabaseSync.prototype.exec = function(sql) {
  const last = sql === "COMMIT" && this.location()?.endsWith("crypto.db") && --left === 0
  if (last && when === "before") process.kill(process.pid, "SIGKILL")
  exec.call(this, sql)
  if (last) process.kill(process.pid, "SIGKILL")
}
