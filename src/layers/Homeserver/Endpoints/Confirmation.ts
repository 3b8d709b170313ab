/** "Are you sure it is you?" (Client-Server API, "User-Interactive Authentication"), with a password and nothing else. */
import * as Schema from "effect/Schema"
import { checkPassword } from "../Accounts.ts"
import { Refusal } from "../Refusal.ts"
import type { Call } from "../Router.ts"

export const Auth = Schema.optional(Schema.Struct({
  type: Schema.optional(Schema.String),
  session: Schema.optional(Schema.String),
  identifier: Schema.optional(Schema.Struct({ user: Schema.optional(Schema.String) })),
  /** Deprecated place of the user. */
  user: Schema.optional(Schema.String),
  password: Schema.optional(Schema.String)
}))

const challenge = (problem?: Refusal): Refusal =>
  new Refusal(401, problem?.errcode ?? "M_UNAUTHORIZED", problem?.message ?? "Confirm with your password", {
    session: "confirmation",
    params: {},
    completed: [],
    flows: [{ stages: ["m.login.password"] }]
  })

/** Refuses with a challenge unless `auth` holds the password of the caller. */
export const confirm = (call: Call, auth: typeof Auth.Type): void => {
  if (auth?.type !== "m.login.password") throw challenge()
  const name = auth.identifier?.user ?? auth.user ?? call.user.userId
  try {
    if (checkPassword(call.world, name, auth.password ?? "") === call.user) return
  } catch (problem) {
    throw problem instanceof Refusal ? challenge(problem) : problem
  }
  throw challenge()
}
