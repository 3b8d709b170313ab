import { assert, describe, it } from "@effect/vitest"
import {
  type AdminCommand,
  adminHelpText,
  type AdminReading,
  parseAdminCommand
} from "../../src/domain/AdminCommand.ts"
import { parseCommand } from "../../src/domain/Command.ts"
import { RoomId, TransactionId } from "../../src/domain/Ids.ts"

const reads = (body: string): AdminReading => parseAdminCommand("!", body)
const problem = (body: string) => {
  const reading = reads(body)
  return reading._tag === "Misused" ? reading.problem : assert.fail(`${body} is read as ${reading._tag}`)
}

describe("what an operator types", () => {
  it("is read as what it asks for, in any case and however spaced", () => {
    const id = TransactionId.make("homing.~24abc.0")
    const room = RoomId.make("!abc:example.org")
    const commands: Readonly<Record<string, AdminCommand>> = {
      "!admin": { _tag: "Help" },
      "!help admin": { _tag: "Help" },
      "!help !admin": { _tag: "Help" },
      "!Admin Status": { _tag: "Status" },
      "!admin chats": { _tag: "Chats", page: 1 },
      "!admin  chats   12": { _tag: "Chats", page: 12 },
      "!admin reconcile\nand more": { _tag: "Reconcile" },
      "!admin outbox": { _tag: "Outbox" },
      "!admin outbox retry homing.~24abc.0": { _tag: "Retry", id },
      "!admin outbox DROP homing.~24abc.0": { _tag: "Drop", id },
      "!admin leave !abc:example.org": { _tag: "Leave", room }
    }
    for (const [body, command] of Object.entries(commands)) {
      assert.deepEqual(reads(body), { _tag: "Parsed", command }, body)
    }
  })

  it("that makes no sense is told so, with what was probably meant", () => {
    assert.include(problem("!admin chat"), "Did you mean chats?")
    assert.include(problem("!admin outbox rety x"), "Did you mean retry?")
    assert.include(problem("!admin outbox retry"), "transaction id")
    assert.include(problem("!admin outbox drop a b"), "transaction id")
    assert.include(problem("!admin chats two"), "number of a page")
    assert.include(problem("!admin status now"), "nothing after its name")
    assert.include(problem("!admin leave"), "its id")
    assert.include(problem("!admin leave #alias:example.org"), "not an alias")
    assert.notInclude(problem(`!admin ${"`x`".repeat(1000)}`), "`")
  })

  it("is something else where it does not begin so, and is listed nowhere but in its own help", () => {
    for (const body of ["admin", "!administer", "! admin chats", "!chats", "hello !admin"]) {
      assert.deepEqual(reads(body), { _tag: "NotForAdmins" }, body)
    }
    for (const name of ["status", "chats", "reconcile", "outbox", "leave"]) {
      assert.include(adminHelpText("!"), `!admin ${name}`)
    }
    assert.deepEqual(parseCommand("!", "!admin"), { _tag: "Unknown", typed: "admin", suggestion: undefined })
  })
})
