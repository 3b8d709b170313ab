import * as Schema from "effect/Schema"

/** What one of several responders can be called: people type it. */
export const ResponderName = Schema.String.pipe(Schema.check(Schema.isPattern(/^[a-z][a-z0-9_-]{0,31}$/)))

/** The responders of a bot, of which the owner of each chat chooses one. Where there is but one there is no choice, and nobody is told of it. */
export interface ResponderChoice {
  /** By its name, what it means that this one answers: a sentence without its full stop. */
  readonly meanings: ReadonlyMap<string, string>
  /** Who answers where nobody has chosen, or somebody who is not there: one of `meanings`. */
  readonly standard: string
}

/** The word that takes a setting back. */
export const takesBack = "default"

export const oneResponder: ResponderChoice = {
  meanings: new Map([[takesBack, "I answer as I always do"]]),
  standard: takesBack
}

const isName = Schema.is(ResponderName)

/** What is wrong with the names that a bot author gives: a sentence for them; undefined when nothing is. */
export const problemOf = ({ meanings, standard }: ResponderChoice): string | undefined => {
  for (const name of meanings.keys()) {
    if (!isName(name)) {
      return `A responder cannot be called ${
        JSON.stringify(name)
      }: its name is a lower-case letter and at most 31 more, digits, _ or -.`
    }
    if (name === takesBack) return `A responder cannot be called "${takesBack}": that takes the choice back.`
  }
  return meanings.has(standard)
    ? undefined
    : `There is no responder called ${JSON.stringify(standard)} to be the default.`
}

/** Who answers where `chosen` was chosen. */
export const responderOf = ({ meanings, standard }: ResponderChoice, chosen: string | undefined): string =>
  chosen !== undefined && meanings.has(chosen) ? chosen : standard

/** What somebody has chosen, where it is not there (any more). */
export const missingOf = ({ meanings }: ResponderChoice, chosen: string | undefined): string | undefined =>
  chosen === undefined || meanings.has(chosen) ? undefined : chosen
