import type { Report } from "./Chaos.ts"
import { places } from "./Plan.ts"
import { isClean } from "./Verdict.ts"

/** Everything that was planned was done, and nothing is wrong. */
export const passed = (report: Report): boolean => isClean(report) && report.notWritten === 0 && report.notKilled === 0

/** More findings than these nobody reads. */
const mostFindings = 30

/** The report as people read it. */
export const tableOf = (report: Report): string => {
  const { endedByItself, findings, killedAnytime, killedAt, notKilled, notWritten } = report
  const atPlaces = Object.values(killedAt).reduce((sum, times) => sum + times, 0)
  const notReached = places.filter((place) => killedAt[place] === undefined)
  const rows: ReadonlyArray<readonly [string, number | string]> = [
    ["sent", report.sent],
    ["answered", report.answered],
    ["ignored", report.ignored],
    ["diagnostics", report.diagnostics],
    ["greetings", report.greetings],
    ["lost", report.lost],
    ["duplicated", report.duplicated],
    ["out of order", report.outOfOrder],
    ["kills at any moment", killedAnytime],
    ["kills at named places", `${atPlaces} (${places.length - notReached.length} of ${places.length} places)`],
    ["ended by itself", endedByItself.length === 0 ? 0 : `${endedByItself.length} (codes ${endedByItself.join(", ")})`],
    ["duration", `${report.seconds} s`]
  ]
  return [
    ...rows.map(([name, value]) => `${name.padEnd(24)}${value}`),
    ...(notReached.length === 0 ? [] : [`never died at           ${notReached.join(", ")}`]),
    ...(notWritten === 0 ? [] : [`The deadline came before ${notWritten} messages were written.`]),
    ...(notKilled === 0 ? [] : [`The deadline came before ${notKilled} kills were done.`]),
    ...findings.slice(0, mostFindings),
    ...(findings.length > mostFindings ? [`… and ${findings.length - mostFindings} more`] : [])
  ].join("\n")
}
