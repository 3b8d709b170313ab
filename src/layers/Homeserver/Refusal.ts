/**
 * An answer that is not the one asked for: the status and the body of the specification's "Standard error response".
 * Rules of the model throw it and the router alone catches it, so that a rule reads as a list of conditions.
 */
export class Refusal extends Error {
  readonly status: number
  readonly errcode: string
  readonly more: Readonly<Record<string, unknown>>
  constructor(status: number, errcode: string, error: string, more: Readonly<Record<string, unknown>> = {}) {
    super(error)
    this.status = status
    this.errcode = errcode
    this.more = more
  }
  get body(): Readonly<Record<string, unknown>> {
    return { errcode: this.errcode, error: this.message, ...this.more }
  }
}

export const forbidden = (error: string): Refusal => new Refusal(403, "M_FORBIDDEN", error)
export const notFound = (error: string): Refusal => new Refusal(404, "M_NOT_FOUND", error)
export const badParam = (errcode: string, error: string): Refusal => new Refusal(400, errcode, error)
export const tooLarge = (error: string): Refusal => new Refusal(413, "M_TOO_LARGE", error)
export const missingParam = (error: string): Refusal => new Refusal(400, "M_MISSING_PARAM", error)
