import * as Data from "effect/Data"

/**
 * No answer that a homeserver could have given. `final` when trying again cannot help, because what answers there is
 * something else. `detail` is a clause for a person and never holds a header or a token.
 */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{
  readonly detail: string
  readonly final: boolean
  /** Milliseconds that the server asks to wait. */
  readonly retryAfter?: number
  /** There was an answer, and more of it than may be. */
  readonly tooLarge?: true
}> {}

const untrusted = "NODE_EXTRA_CA_CERTS can name a file with more authorities."

/** By the code of the error: of the system (`errno`), of Node's HTTP client, of OpenSSL and of zlib. */
const byCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused.",
  ECONNRESET: "the connection was cut.",
  EPIPE: "the connection was cut.",
  ENOTFOUND: "its name is not known to DNS.",
  EAI_AGAIN: "DNS gave no answer.",
  ETIMEDOUT: "the connection timed out.",
  EHOSTUNREACH: "there is no route to it.",
  ENETUNREACH: "there is no network.",
  EADDRNOTAVAIL: "there is no network.",
  CERT_HAS_EXPIRED: "its TLS certificate has expired.",
  CERT_NOT_YET_VALID: "its TLS certificate is not valid yet; is the clock of this machine right?",
  ERR_TLS_CERT_ALTNAME_INVALID: "its TLS certificate is for another name.",
  DEPTH_ZERO_SELF_SIGNED_CERT: `its TLS certificate is self-signed, and this machine does not trust it. ${untrusted}`,
  SELF_SIGNED_CERT_IN_CHAIN:
    `its TLS certificate comes from an authority that this machine does not trust. ${untrusted}`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    `its TLS certificate comes from an authority that this machine does not trust. ${untrusted}`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    `its TLS certificate comes from an authority that this machine does not trust. ${untrusted}`,
  EPROTO: "what answers there does not speak TLS; is its address http:// in place of https://?",
  ERR_SSL_WRONG_VERSION_NUMBER: "what answers there does not speak TLS; is its address http:// in place of https://?",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "what answers there does not speak TLS; is its address http:// in place of https://?",
  Z_DATA_ERROR: "its answer is compressed in a way that cannot be read.",
  Z_BUF_ERROR: "its answer ended too early."
}

/**
 * Says why a request brought no answer, by the code of the error alone: its words may quote a header, and so a token.
 */
export const noAnswerOf = (thrown: unknown): NoAnswer => {
  if (thrown instanceof NoAnswer) return thrown
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : undefined
  const name = thrown instanceof Error ? thrown.name : "for an unknown reason"
  const detail = code === undefined
    ? `the request failed (${name}).`
    : byCode[code] ?? (code.startsWith("HPE_")
      ? "what answers there does not speak HTTP."
      : /CERT|SSL|TLS|ALTNAME|SELF_SIGNED|UNABLE_TO_/.test(code)
      ? `its TLS certificate or connection was not accepted (${code}).`
      : `the request failed (${code}).`)
  return new NoAnswer({ detail, final: false })
}
