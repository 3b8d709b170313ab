import { type IncomingMessage, request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { pipeline, type Readable } from "node:stream"
import { createGunzip } from "node:zlib"
import { NoAnswer } from "./NoAnswer.ts"

/** What goes over the wire: a part of what `fetch` takes. */
export interface WireRequest {
  readonly method?: string
  readonly headers?: RequestInit["headers"]
  readonly body?: RequestInit["body"]
}

/** Sends one request, follows no redirect, and brings the whole answer, of at most `limit` bytes. */
export type Wire = (url: URL, request: WireRequest, limit: number, signal: AbortSignal) => Promise<Response>

/**
 * Over Node's own HTTP client: a `fetch` of Node costs twice the CPU of this, which is a quarter of what a handled message costs
 * (`npm run bench`), and takes no port that belongs to another protocol.
 */
export const wire: Wire = (url, { body, headers, method = "GET" }, limit, signal) =>
  new Promise((resolve, reject) => {
    const send = url.protocol === "https:" ? requestHttps : requestHttp
    const fields = { "user-agent": "homing", ...Object.fromEntries(new Headers(headers)), "accept-encoding": "gzip" }
    const request = send(url, { method, headers: fields, signal }, (message) => {
      bodyOf(message, limit).then((whole) => responseOf(message, whole)).then(resolve, reject)
    })
    request.on("error", reject)
    request.end(bytesOf(body))
  })

const bytesOf = (body: RequestInit["body"]): string | Uint8Array | undefined => {
  if (body === undefined || body === null) return undefined
  if (typeof body === "string" || body instanceof Uint8Array) return body
  throw new TypeError("Only text and bytes can be sent.")
}

const mebibyte = 1024 * 1024

/** Bytes are counted after decompression, so that a small answer cannot swell. */
const bodyOf = (message: IncomingMessage, limit: number): Promise<Uint8Array<ArrayBuffer>> =>
  new Promise((resolve, reject) => {
    const source: Readable = message.headers["content-encoding"] === "gzip"
      ? pipeline(message, createGunzip(), () => {})
      : message
    const chunks: Array<Uint8Array> = []
    let size = 0
    source.on("data", (chunk: Uint8Array) => {
      size += chunk.byteLength
      if (size <= limit) return void chunks.push(chunk)
      const detail = `the answer is larger than ${Math.round(limit / mebibyte)} MiB.`
      source.destroy(new NoAnswer({ detail, final: false, tooLarge: true }))
    })
    source.on("end", () => resolve(Buffer.concat(chunks, size)))
    source.on("error", reject)
  })

const bodiless: ReadonlySet<number> = new Set([204, 205, 304])

const responseOf = (message: IncomingMessage, body: Uint8Array<ArrayBuffer>): Response => {
  const status = message.statusCode ?? 0
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headers)) {
    if (typeof value === "string") headers.set(name, value)
  }
  return new Response(bodiless.has(status) ? null : body, { status, headers })
}
