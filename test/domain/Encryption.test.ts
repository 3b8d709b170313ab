import { assert, describe, it } from "@effect/vitest"
import {
  answerVerification,
  counted,
  type Decryptions,
  encryptionLines,
  encryptionRemedy,
  type EncryptionState,
  keysStanding,
  noDecryptions,
  whyUnreadable
} from "../../src/domain/Encryption.ts"

const after = (results: ReadonlyArray<boolean>): Decryptions => results.reduce(counted, noDecryptions)

describe("decryptions", () => {
  it("make a bot unreliable when none of several could be read, and one that could is enough", () => {
    assert.isUndefined(whyUnreadable(noDecryptions))
    assert.isUndefined(whyUnreadable(after([false, false])))
    assert.include(whyUnreadable(after([false, false, false])), "3 of the last 3 encrypted messages")
    assert.isUndefined(whyUnreadable(after([true, false, false, false])))
    assert.isUndefined(whyUnreadable(after([false, false, false, true])))
  })

  it("of long ago do not count any more", () => {
    const many = after([true, ...Array.from({ length: 20 }, () => false)])
    assert.include(whyUnreadable(many), "20 of the last 20")
    assert.deepInclude(many, { read: 1, unread: 20 })
  })
})

describe("verification", () => {
  const question = { own: false, signed: false, allowed: true, autoVerify: true, verifiedOnly: false }

  it("is answered for people who may talk to the bot, while nothing hangs on it", () => {
    const unasked = { ...question, autoVerify: "people" } as const
    assert.strictEqual(answerVerification(unasked)._tag, "Accept")
    assert.strictEqual(answerVerification({ ...unasked, allowed: false })._tag, "Decline")
    assert.strictEqual(answerVerification({ ...unasked, verifiedOnly: true })._tag, "Decline")
    assert.strictEqual(answerVerification({ ...unasked, own: true, signed: true })._tag, "Decline")
  })

  it("is answered as the operator says, and only for those who may talk to the bot", () => {
    assert.strictEqual(answerVerification(question)._tag, "Accept")
    assert.strictEqual(answerVerification({ ...question, verifiedOnly: true })._tag, "Accept")
    assert.strictEqual(answerVerification({ ...question, autoVerify: false })._tag, "Decline")
    assert.strictEqual(answerVerification({ ...question, allowed: false })._tag, "Decline")
  })

  it("of another session of the account needs one that is verified: it would get the account's keys", () => {
    assert.strictEqual(answerVerification({ ...question, own: true })._tag, "Decline")
    assert.strictEqual(answerVerification({ ...question, own: true, signed: true })._tag, "Accept")
    assert.strictEqual(answerVerification({ ...question, own: true, signed: true, autoVerify: false })._tag, "Decline")
  })
})

describe("the state of encryption", () => {
  const complete: EncryptionState = {
    user: "@bot:example.org",
    device: "HOMING1",
    fingerprint: "abcdefgh",
    identity: "here",
    signed: true,
    storage: "open",
    backup: { version: "1", on: true }
  }

  it("is told in lines, with what would complete it", () => {
    assert.isUndefined(encryptionRemedy(complete))
    assert.include(encryptionLines(complete).join("\n"), "HOMING1, fingerprint abcd efgh")
    const elsewhere: EncryptionState = {
      ...complete,
      identity: "elsewhere",
      signed: false,
      storage: "locked",
      backup: { version: "1", on: false }
    }
    assert.include(encryptionLines(elsewhere).join("\n"), "not verified: the account's identity was made by another")
    assert.include(encryptionRemedy(elsewhere) ?? "", "homing verify --recovery-key")
    const bare: EncryptionState = { ...complete, storage: "none", backup: { version: undefined, on: false } }
    assert.include(encryptionRemedy(bare) ?? "", "homing verify --new-recovery-key")
  })
})

describe("the keys of a device", () => {
  it("are its own when others are told the same, or none yet that were ever told", () => {
    assert.strictEqual(keysStanding({ here: "a", published: "a", announced: true }), "own")
    assert.strictEqual(keysStanding({ here: "a", published: "a", announced: false }), "own")
    assert.strictEqual(keysStanding({ here: "a", published: undefined, announced: false }), "own")
  })

  it("are not when others are told of other ones, or of none after they were told of these", () => {
    assert.strictEqual(keysStanding({ here: "a", published: "b", announced: true }), "others")
    assert.strictEqual(keysStanding({ here: "a", published: "b", announced: false }), "others")
    assert.strictEqual(keysStanding({ here: "a", published: undefined, announced: true }), "deleted")
  })
})
