/** What is typed and what is printed. The edge: Node's readline knows how to edit a line, Effect's terminal does not. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { createInterface, type Interface } from "node:readline"
import { styleText } from "node:util"
import { wrapped } from "./Words.ts"

/** A line as it is typed so far: the ways in which it may go on. */
export type Completer = (line: string) => ReadonlyArray<string>

export class Terminal extends Context.Service<Terminal, {
  /** Whether a person sits at it; false when input or output is a pipe. */
  readonly interactive: boolean
  /** The lines of the input, trimmed, without empty ones. */
  readonly lines: Stream.Stream<string>
  /** Ends when the person leaves, by Ctrl-C or Ctrl-D or with the whole terminal. A pipe only ends its lines. */
  readonly left: Effect.Effect<void>
  /** Prints whole lines, above the line that is being typed. One that is too long goes on `hanging` columns from the left. */
  print(text: string, hanging?: number): Effect.Effect<void>
  /** Prints what somebody said. */
  said(who: string, body: string): Effect.Effect<void>
  /** Prints something about what goes on. */
  note(text: string): Effect.Effect<void>
  /** Puts this before the line that is being typed. */
  prompt(title: string): Effect.Effect<void>
}>()("homing/Sandbox/Terminal") {
  /** Standard input and output of this process. */
  static readonly layer = (complete: Completer): Layer.Layer<Terminal, never, Stdio.Stdio> =>
    Layer.effect(
      Terminal,
      Effect.gen(function*() {
        const stdio = yield* Stdio.Stdio
        const interactive = (yield* stdio.stdinIsTerminal) && (yield* stdio.stdoutIsTerminal)
        if (interactive) forgiveLostTerminal(process.stdin)
        return yield* make({ input: process.stdin, output: process.stdout, interactive, complete })
      })
    )

  /** Any two streams. */
  static readonly layerOn = (options: TerminalOptions): Layer.Layer<Terminal> => Layer.effect(Terminal, make(options))
}

export interface TerminalOptions {
  readonly input: NodeJS.ReadableStream
  readonly output: NodeJS.WritableStream
  readonly interactive: boolean
  readonly complete: Completer
}

const make = Effect.fnUntraced(function*({ complete, input, interactive, output }: TerminalOptions) {
  const lines = yield* Queue.unbounded<string, Cause.Done>()
  const left = yield* Deferred.make<void>()
  let editing = interactive

  const open = (): Interface => {
    const readline = createInterface({
      input,
      terminal: interactive,
      ...(interactive ? { output } : {}),
      prompt: "",
      completer: (line: string) => [complete(line), line]
    })
    readline.on("line", (line) => {
      if (editing) readline.prompt()
      if (line.trim() !== "") Queue.offerUnsafe(lines, line.trim())
    })
    // reading a terminal that is gone fails, on top of the hang-up
    input.on("error", () => readline.close())
    readline.on("close", () => {
      if (editing) output.write("\n")
      editing = false
      Queue.endUnsafe(lines)
      if (interactive) Deferred.doneUnsafe(left, Effect.void)
    })
    return readline
  }

  const close = (readline: Interface) => {
    if (editing) output.write(erasure(readline))
    editing = false
    readline.close()
  }

  const readline = yield* Effect.acquireRelease(Effect.sync(open), (readline) => Effect.sync(() => close(readline)))
  const hangUp = () => readline.close()
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("SIGHUP", hangUp)),
    () => Effect.sync(() => process.off("SIGHUP", hangUp))
  )

  /** Draws the line that is being typed again, under `above` and with this prompt. */
  const redraw = (above: string, prompt = readline.getPrompt()) => {
    // readline itself goes up by so many rows before it draws: they are made here first
    output.write(`${erasure(readline)}${above}${"\n".repeat(rowsDrawn(readline))}`)
    readline.setPrompt(prompt)
    readline.prompt(true)
  }

  const print = (text: string) =>
    Effect.sync(() => {
      if (editing) redraw(`${text}\n`)
      else output.write(`${text}\n`)
    })

  /** Wrapped on a terminal, and below the beginning of the first line, which `more` columns beyond `indent` stand before. */
  const inColumns = (text: string, indent: number, more = 0) => {
    const width = interactive && "columns" in output && typeof output.columns === "number" ? output.columns : Infinity
    return wrapped(text, width - indent, more).replace(/\n(?=.)/g, `\n${" ".repeat(indent)}`)
  }

  const styled = (style: "bold" | "cyan" | "dim", text: string) => styleText(style, text, { stream: output })

  return Terminal.of({
    interactive,
    lines: Stream.fromQueue(lines),
    left: Deferred.await(left),
    print: (text, hanging = 0) => print(text.split("\n").map((line) => inColumns(line, hanging, -hanging)).join("\n")),
    said: (who, body) => print(`${styled("cyan", `${who}:`)} ${inColumns(body, 5, who.length + 2 - 5)}`),
    note: (text) => print(styled("dim", `  · ${inColumns(text, 4)}`)),
    prompt: (title) =>
      Effect.sync(() => {
        if (editing) redraw("", `${styled("bold", title)}> `)
      })
  })
})

/** readline sets a terminal back when it closes, and throws when there is none any more: the window was closed. */
const forgiveLostTerminal = (stdin: NodeJS.ReadStream): void => {
  const setRawMode = stdin.setRawMode.bind(stdin)
  stdin.setRawMode = (mode) => {
    try {
      return setRawMode(mode)
    } catch {
      return stdin
    }
  }
}

/** To the first column of the line that is being typed, which may be longer than the screen is wide, and away with it. */
const erasure = (readline: Interface): string => {
  const { rows } = readline.getCursorPos()
  return `${rows > 0 ? `\u001b[${rows}A` : ""}\r\u001b[J`
}

/** The row of the cursor as readline remembers it, which is not where the cursor is once something long was pasted. */
const rowsDrawn = (readline: Interface): number =>
  "prevRows" in readline && typeof readline.prevRows === "number" ? readline.prevRows : 0
