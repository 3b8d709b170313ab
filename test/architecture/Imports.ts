import { posix } from "node:path"

/** The text of source files by their path from the root of the project, such as `src/domain/Chat.ts`. */
export type Sources = ReadonlyMap<string, string>

export interface Violation {
  readonly file: string
  /** The specifier as written. */
  readonly imports: string
  readonly rule: string
}

interface Import {
  readonly file: string
  readonly specifier: string
  /** What a relative specifier leads to; the specifier itself for a package. */
  readonly target: string
}

interface Rule {
  readonly name: string
  readonly breaks: (_: Import) => boolean
}

/** One statement starts a line, so that an example in a docstring is none. */
const statement = /^[ \t]*(?:import|export)\b(?:[^"';]*?\bfrom)?\s*"([^"]+)"/gm
const dynamic = /^(?![ \t]*(?:\*|\/\/)).*\bimport\(\s*"([^"]+)"/gm

const importsOf = (file: string, text: string): ReadonlyArray<Import> =>
  [...text.matchAll(statement), ...text.matchAll(dynamic)].flatMap(([, specifier]) =>
    specifier === undefined
      ? []
      : [{
        file,
        specifier,
        target: specifier.startsWith(".") ? posix.join(posix.dirname(file), specifier) : specifier
      }]
  )

const under = (folder: string) => (path: string): boolean => path.startsWith(`${folder}/`)
const inPackage = (name: string) => (path: string): boolean => path === name || path.startsWith(`${name}/`)

const inSource = under("src")
const inDomain = under("src/domain")
const inLayers = under("src/layers")
const inPrograms = under("src/programs")
const isSdk = (target: string) => inPackage("matrix-js-sdk")(target) || target.startsWith("@matrix-org/")
const isSql = (target: string) =>
  inPackage("effect/sql")(target) || target.startsWith("@effect/sql") || target === "node:sqlite"

const rules: ReadonlyArray<Rule> = [
  {
    name: "the domain imports only effect and itself",
    breaks: ({ file, target }) => inDomain(file) && !target.startsWith("effect/") && !inDomain(target)
  },
  {
    name: "the Matrix SDK is imported only in src/layers/MatrixClient/",
    breaks: ({ file, target }) => isSdk(target) && inSource(file) && !under("src/layers/MatrixClient")(file)
  },
  {
    // The SDK keeps its keys in an IndexedDB, and that is made of SQL: a file of its own, which no statement of the store can
    // keep locked.
    name: "SQL is imported only in src/layers/Store/ and for the SDK's IndexedDB",
    breaks: ({ file, target }) =>
      isSql(target) && inSource(file) && !under("src/layers/Store")(file) &&
      !under("src/layers/MatrixClient/IndexedDb")(file)
  },
  {
    name: "layers do not import programs",
    breaks: ({ file, target }) => inLayers(file) && inPrograms(target)
  },
  {
    name: "modules are imported, not barrels: those are slow to load",
    breaks: ({ file, target }) => inSource(file) && (target === "effect" || target === "@effect/platform-node")
  },
  {
    name: "the sources do not import tests, benchmarks or scripts",
    breaks: ({ file, specifier, target }) => inSource(file) && specifier.startsWith(".") && !inSource(target)
  }
]

/** Every import that points where it must not, in the order of the files. */
export const violations = (sources: Sources): ReadonlyArray<Violation> =>
  [...sources].flatMap(([file, text]) =>
    importsOf(file, text).flatMap((found) =>
      rules
        .filter((rule) => rule.breaks(found))
        .map((rule) => ({ file, imports: found.specifier, rule: rule.name }))
    )
  )

/** How many imports there are: a check of no imports proves nothing. */
export const importCount = (sources: Sources): number =>
  [...sources].reduce((sum, [file, text]) => sum + importsOf(file, text).length, 0)
