import { assert } from "@effect/vitest"
import { Effect } from "effect"
import {
  type CryptoApi,
  CryptoEvent,
  VerificationPhase,
  type VerificationRequest,
  VerificationRequestEvent,
  VerifierEvent
} from "matrix-js-sdk/lib/crypto-api/index.js"
import type { MatrixClient } from "matrix-js-sdk/lib/matrix.js"

export const cryptoOf = (client: MatrixClient): CryptoApi => {
  const crypto = client.getCrypto()
  assert.isDefined(crypto)
  return crypto
}

/** Gives a person a cross-signing identity, whatever there was before. */
export const newIdentity = (client: MatrixClient, user: string, password: string) =>
  Effect.promise(() =>
    cryptoOf(client).bootstrapCrossSigning({
      setupNewCrossSigning: true,
      authUploadDeviceSigningKeys: (request) =>
        request(null).catch(() =>
          request({
            type: "m.login.password",
            identifier: { type: "m.id.user", user },
            password,
            session: "confirmation"
          })
        )
    })
  )

/** What a person's client thinks of the devices of `user`: by device, whether the user's own identity signed it. */
export const signedDevices = (client: MatrixClient, user: string) =>
  Effect.promise(async () => {
    const crypto = cryptoOf(client)
    // Asks the server once more: what a client was told of somebody it tracks may be on its way.
    await crypto.userHasCrossSigningKeys(user, true)
    const devices = [...(await crypto.getUserDeviceInfo([user], true)).get(user)?.keys() ?? []]
    const seen: Record<string, boolean> = {}
    for (const device of devices) {
      seen[device] = (await crypto.getDeviceVerificationStatus(user, device))?.signedByOwner === true
    }
    return seen
  })

/** Waits until the other side is ready, or has declined. */
const settled = (request: VerificationRequest): Promise<void> =>
  new Promise((resolve) => {
    const look = () => {
      if (request.phase < VerificationPhase.Ready) return
      request.off(VerificationRequestEvent.Change, look)
      resolve()
    }
    request.on(VerificationRequestEvent.Change, look)
    look()
  })

/** What a person does who compares emoji and says that they match. Answers with the emoji; undefined when it was declined. */
export const compareEmoji = (request: VerificationRequest) =>
  Effect.promise(async () => {
    await settled(request)
    if (request.phase === VerificationPhase.Cancelled) return undefined
    const verifier = await request.startVerification("m.sas.v1")
    const shown = new Promise<string>((resolve) => {
      verifier.on(VerifierEvent.ShowSas, ({ confirm, sas }) => {
        resolve((sas.emoji ?? []).map(([symbol, name]) => `${symbol} ${name}`).join(", "))
        void confirm()
      })
    })
    await verifier.verify()
    return shown
  })

/** What a person does whom somebody asks to compare emoji: `accept` them and say whether they match, or not. Answers with the emoji. */
export const answerRequest = (client: MatrixClient, does: "confirm" | "mismatch" | "decline") =>
  Effect.callback<string>((resume) => {
    const take = (request: VerificationRequest) => {
      client.off(CryptoEvent.VerificationRequestReceived, take)
      if (does === "decline") return void request.cancel().then(() => resume(Effect.succeed("")))
      const look = () => {
        const { verifier } = request
        if (verifier === undefined) return
        request.off(VerificationRequestEvent.Change, look)
        verifier.on(VerifierEvent.ShowSas, (sas) => {
          if (does === "mismatch") sas.mismatch()
          else void sas.confirm()
          resume(Effect.succeed((sas.sas.emoji ?? []).map(([symbol, name]) => `  ${symbol}  ${name}`).join("\n")))
        })
        verifier.verify().catch(() => {})
      }
      request.on(VerificationRequestEvent.Change, look)
      void request.accept().then(look)
    }
    client.on(CryptoEvent.VerificationRequestReceived, take)
    return Effect.sync(() => client.off(CryptoEvent.VerificationRequestReceived, take))
  })
