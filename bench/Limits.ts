import type { Row } from "./Report.ts"

/** What a benchmark must not fall short of, or exceed. */
export interface Limit {
  readonly what: string
  readonly bound: "at least" | "at most"
  readonly limit: number
  readonly unit: string
  /** Undefined when the run did not measure it. */
  readonly measured: (figure: FigureOf) => number | undefined
}

/** A figure by where it stands: the beginning of the benchmark's name, the subject, and the figure's own name. */
type FigureOf = (benchmark: string, subject: string, name: string) => number | undefined

/** The difference that one thing makes; undefined unless both were measured. */
const more = (than: number | undefined, value: number | undefined): number | undefined =>
  than === undefined || value === undefined ? undefined : value - than

const start = "start to first answer"
const room = "20000 room keys"

const account = "5000 rooms, 10000 chats"

/** A list of chats of a large account, for somebody who waits for it. */
const list = (subject: string): Limit => ({
  what: `${subject}, 10,000 chats`,
  bound: "at most",
  limit: 200,
  unit: "ms",
  measured: (figure) => figure(account, subject, "best ms")
})

/** The reconciliation of a large account. */
const reconciliation = (subject: string): ReadonlyArray<Limit> => [
  {
    what: `${subject}, 5,000 rooms and 10,000 chats`,
    bound: "at most",
    limit: 1_000,
    unit: "ms",
    measured: (figure) => figure(account, subject, "best ms")
  },
  {
    what: `${subject}, memory on top`,
    bound: "at most",
    limit: 150,
    unit: "MB",
    measured: (figure) => figure(account, subject, "MB on top")
  }
]

/** Every limit that the project has set itself, on two quiet cores. */
export const limits: ReadonlyArray<Limit> = [
  {
    what: "taking in",
    bound: "at least",
    limit: 5_000,
    unit: "events/s",
    measured: (figure) => figure("50000 events", "Homing, taking in alone", "events/s")
  },
  {
    what: "question to answer, on the sandbox",
    bound: "at least",
    limit: 500,
    unit: "messages/s",
    measured: (figure) => figure("3000 messages in 20 rooms", "Homing", "answered/s")
  },
  {
    what: "100,000 messages in the inbox: what is alive grows by",
    bound: "at most",
    limit: 10,
    unit: "MB",
    measured: (figure) =>
      more(
        figure("100000 messages in the inbox", "Homing", "live MB, second tenth"),
        figure("100000 messages in the inbox", "Homing", "live MB, last tenth")
      )
  },
  {
    what: "a database that has seen a million messages",
    bound: "at most",
    limit: 200,
    unit: "MB",
    measured: (figure) => figure("1000000 messages handled", "homing.db", "largest MB")
  },
  {
    what: "keys: a start takes longer by",
    bound: "at most",
    limit: 300,
    unit: "ms",
    measured: (figure) => more(figure(start, "without keys", "median ms"), figure(start, "with keys", "median ms"))
  },
  {
    what: "keys: resident memory is more by",
    bound: "at most",
    limit: 80,
    unit: "MB",
    measured: (figure) =>
      more(figure(start, "without keys", "median RSS MB"), figure(start, "with keys", "median RSS MB"))
  },
  {
    what: "keys: crypto.db, for a question and its answer",
    bound: "at most",
    limit: 3,
    unit: "ms",
    measured: (figure) => figure("300 questions and answers", "crypto.db, for each pair", "ms in all")
  },
  {
    // Not none: two medians of five starts differ by as much.
    what: "20,000 room keys: a start takes longer by",
    bound: "at most",
    limit: 50,
    unit: "ms",
    measured: (figure) => more(figure(start, "with keys", "median ms"), figure(start, `with ${room}`, "median ms"))
  },
  {
    what: "homing --help",
    bound: "at most",
    limit: 400,
    unit: "ms",
    measured: (figure) => figure("homing --help", "Homing", "median ms")
  },
  {
    what: "deciding on 5,000 rooms, nothing changed",
    bound: "at most",
    limit: 50,
    unit: "ms",
    measured: (figure) => figure("decide, 5000 rooms", "nothing changed", "median ms")
  },
  {
    what: "deciding on 5,000 rooms, all restored",
    bound: "at most",
    limit: 50,
    unit: "ms",
    measured: (figure) => figure("decide, 5000 rooms", "all restored from markers", "median ms")
  },
  list("homing chats"),
  list("!chats all"),
  list("!admin chats"),
  ...reconciliation("reconcile, nothing changed"),
  ...reconciliation("reconcile, all restored from markers")
]

export interface Finding {
  readonly limit: Limit
  readonly measured: number
  readonly kept: boolean
}

/** What the rows say of the limits. Those that were not measured are not there. */
export const findingsOf = (rows: ReadonlyArray<Row>): ReadonlyArray<Finding> => {
  const figure: FigureOf = (benchmark, subject, name) =>
    rows.find((row) => row.benchmark.startsWith(benchmark) && row.subject === subject)?.figures[name]
  return limits.flatMap((limit) => {
    const measured = limit.measured(figure)
    if (measured === undefined) return []
    // What could not be measured is not kept, either.
    const kept = limit.bound === "at least" ? measured >= limit.limit : measured <= limit.limit
    return [{ limit, measured, kept }]
  })
}

/** The findings as a Markdown table. */
export const limitsTable = (findings: ReadonlyArray<Finding>): string =>
  [
    "| limit | | measured | |",
    "| --- | --- | --- | --- |",
    ...findings.map(({ kept, limit: { bound, limit, unit, what }, measured }) =>
      `| ${what} | ${bound} ${limit} ${unit} | ${measured.toFixed(Math.abs(measured) < 10 ? 2 : 0)} | ${
        kept ? "kept" : "MISSED"
      } |`
    )
  ].join("\n")
