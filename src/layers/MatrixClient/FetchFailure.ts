import { field, textField } from "./Json.ts"

/** Why `fetch` brought no answer, as a clause for a person. `final` when trying again cannot help. */
export interface FetchFailure {
  readonly detail: string
  readonly final: boolean
}

const untrusted = "NODE_EXTRA_CA_CERTS can name a file with more authorities."

/** By the code of the cause: of the system (`errno`), of Node's `fetch` (undici) and of OpenSSL. */
const byCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused.",
  ECONNRESET: "the connection was cut.",
  UND_ERR_SOCKET: "the connection was cut.",
  EPIPE: "the connection was cut.",
  ENOTFOUND: "its name is not known to DNS.",
  EAI_AGAIN: "DNS gave no answer.",
  ETIMEDOUT: "the connection timed out.",
  EHOSTUNREACH: "there is no route to it.",
  ENETUNREACH: "there is no network.",
  EADDRNOTAVAIL: "there is no network.",
  UND_ERR_CONNECT_TIMEOUT: "the connection timed out.",
  UND_ERR_HEADERS_TIMEOUT: "the request timed out.",
  UND_ERR_BODY_TIMEOUT: "the request timed out.",
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
  ERR_SSL_WRONG_VERSION_NUMBER: "what answers there does not speak TLS; is its address http:// in place of https://?",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "what answers there does not speak TLS; is its address http:// in place of https://?",
  Z_DATA_ERROR: "its answer is compressed in a way that cannot be read.",
  Z_BUF_ERROR: "its answer ended too early."
}

/** Causes without a code: undici gives them only a name, or only these words. */
const byWords: Readonly<Record<string, FetchFailure>> = {
  "bad port": {
    detail: "browsers and Node send no request to this port, which belongs to another protocol (Fetch standard, " +
      "\"bad port\"). Let the homeserver listen on another.",
    final: true
  },
  HTTPParserError: { detail: "what answers there does not speak HTTP.", final: false }
}

/**
 * Says why `fetch` failed, by the code or the name of the cause alone: the words of an error may quote a header, and so a token.
 */
export const fetchFailure = (thrown: unknown): FetchFailure => {
  const cause = field(thrown, "cause") ?? thrown
  const code = textField(cause, "code") ?? (cause instanceof Error && "code" in cause ? String(cause.code) : undefined)
  const known = code === undefined ? undefined : byCode[code]
  if (known !== undefined) return { detail: known, final: false }
  if (cause instanceof Error) {
    const spoken = byWords[cause.message] ?? byWords[cause.name]
    if (spoken !== undefined) return spoken
  }
  const detail = code === undefined
    ? `the request failed (${cause instanceof Error ? cause.name : "for an unknown reason"}).`
    : /CERT|SSL|TLS|ALTNAME|SELF_SIGNED|UNABLE_TO_/.test(code)
    ? `its TLS certificate or connection was not accepted (${code}).`
    : `the request failed (${code}).`
  return { detail, final: false }
}
