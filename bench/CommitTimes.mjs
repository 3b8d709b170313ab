// Loaded into a bot's process before its own code: counts what the file of its keys takes, and writes it to
// BENCH_COMMIT_TIMES at every SIGUSR2. Times are in milliseconds.
import { writeFileSync } from "node:fs"
import { DatabaseSync, StatementSync } from "node:sqlite"

const totals = { commits: 0, commitMillis: 0, statements: 0, statementMillis: 0, writes: 0 }
const { exec, prepare } = DatabaseSync.prototype
const ours = new WeakSet()

const timed = (work) => {
  const start = performance.now()
  const result = work()
  return [result, performance.now() - start]
}

DatabaseSync.prototype.prepare = function(...args) {
  const statement = prepare.apply(this, args)
  if (this.location()?.endsWith("crypto.db")) ours.add(statement)
  return statement
}
for (const name of ["get", "all", "run"]) {
  const original = StatementSync.prototype[name]
  StatementSync.prototype[name] = function(...args) {
    if (!ours.has(this)) return original.apply(this, args)
    const [result, took] = timed(() => original.apply(this, args))
    totals.statements++
    totals.statementMillis += took
    if (name === "run") totals.writes++
    return result
  }
}
DatabaseSync.prototype.exec = function(sql) {
  if (!ours.has(this)) {
    if (!this.location()?.endsWith("crypto.db")) return exec.call(this, sql)
    ours.add(this)
  }
  const [, took] = timed(() => exec.call(this, sql))
  if (sql === "COMMIT") {
    totals.commits++
    totals.commitMillis += took
  } else totals.statementMillis += took
}
process.on("SIGUSR2", () => writeFileSync(process.env.BENCH_COMMIT_TIMES, JSON.stringify(totals)))
