import { exitCode } from "../src/domain/Errors.ts"
import type { Report } from "./Chaos.ts"
import { isClean } from "./Verdict.ts"

/** From so many kills on, a run comes to every place that it can come to. */
const manyKills = 200

/** Places that it should have come to and did not. A short run has not the time for all of them. */
const missed = ({ kills, neverAt }: Report): number => kills < manyKills ? 0 : neverAt.length

/** Everything that was planned was done, nothing is wrong, and no life ended with what is a bug in Homing. */
export const passed = (report: Report): boolean =>
  isClean(report) && report.identities <= 1 && report.notWritten === 0 && report.notKilled === 0 &&
  missed(report) === 0 &&
  !report.endedByItself.includes(exitCode.unexpected)

/** More findings than these nobody reads. */
const mostFindings = 30

/** The report as people read it. */
export const tableOf = (report: Report): string => {
  const { endedByItself, findings, killedAnytime, killedAt, neverAt, notKilled, notWritten } = report
  const atPlaces = Object.values(killedAt).reduce((sum, times) => sum + times, 0)
  const reached = Object.keys(killedAt).length
  const rows: ReadonlyArray<readonly [string, number | string]> = [
    ["sent", report.sent],
    ["answered", report.answered],
    ["ignored", report.ignored],
    ["given up, ten lives", report.givenUp],
    ["unexpected diagnostics", report.diagnostics],
    ["greetings", report.greetings],
    ["rooms made", report.roomsMade],
    ["told the operators", report.news],
    ["lost", report.lost],
    ["duplicated", report.duplicated],
    ["out of order", report.outOfOrder],
    ["undecryptable", report.undecryptable],
    ["in clear", report.inClear],
    ["keys of the bot", report.identities],
    ["kills at any moment", killedAnytime],
    ["kills at named places", `${atPlaces} (${reached} of ${reached + neverAt.length} places)`],
    ["told to stop", report.stopped],
    ["ended by itself", endedByItself.length === 0 ? 0 : `${endedByItself.length} (codes ${endedByItself.join(", ")})`],
    ["duration", `${report.seconds} s`]
  ]
  return [
    ...rows.map(([name, value]) => `${name.padEnd(24)}${value}`),
    ...(neverAt.length === 0
      ? []
      : [`never died at           ${neverAt.join(", ")}${missed(report) === 0 ? "" : " (so it failed)"}`]),
    ...(notWritten === 0 ? [] : [`The deadline came before ${notWritten} messages were written.`]),
    ...(notKilled === 0 ? [] : [`The deadline came before ${notKilled} kills were done.`]),
    ...findings.slice(0, mostFindings),
    ...(findings.length > mostFindings ? [`… and ${findings.length - mostFindings} more`] : [])
  ].join("\n")
}
