import * as Schema from "effect/Schema"

const consequence = {
  not_installed: "its packages are not installed",
  not_built: "its page could not be built",
  not_served: "its page cannot be served on 127.0.0.1"
} as const

/** There is no web client. Nothing else depends on it. */
export class WebClientUnavailable extends Schema.TaggedError<WebClientUnavailable>()("WebClientUnavailable", {
  problem: Schema.Literals(["not_installed", "not_built", "not_served"]),
  detail: Schema.String
}) {
  override get message() {
    return `The web client is left out, since ${consequence[this.problem]}: ${this.detail}`
  }
}
