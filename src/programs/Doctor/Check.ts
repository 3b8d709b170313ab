import { exitCode } from "../../domain/Errors.ts"

/** One thing that was looked at, and what to do about it. */
export interface Check {
  readonly name: string
  readonly verdict: "ok" | "warn" | "fail"
  readonly finding: string
  readonly remedy: string | undefined
  /** What `homing run` would end with because of it; 0 unless the verdict is `fail`. */
  readonly code: number
}

export const ok = (name: string, finding: string): Check => ({
  name,
  verdict: "ok",
  finding,
  remedy: undefined,
  code: 0
})

export const warn = (name: string, finding: string, remedy: string): Check => ({
  name,
  verdict: "warn",
  finding,
  remedy,
  code: 0
})

export const fail = (
  name: string,
  finding: string,
  remedy: string | undefined,
  code: keyof typeof exitCode
): Check => ({
  name,
  verdict: "fail",
  finding,
  remedy,
  code: exitCode[code]
})

/** Aligned lines, each remedy under its finding. */
export const rendered = (checks: ReadonlyArray<Check>): string => {
  const width = Math.max(...checks.map(({ name }) => name.length))
  return checks.map(({ finding, name, remedy, verdict }) => {
    const lines = [...finding.split("\n"), ...(remedy === undefined ? [] : [`-> ${remedy}`])]
    return `${verdict.padEnd(4)}  ${name.padEnd(width)}  ${lines.join(`\n${" ".repeat(width + 8)}`)}`
  }).join("\n")
}
