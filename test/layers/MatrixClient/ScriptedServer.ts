import { Effect } from "effect"
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"

export interface Asked {
  readonly method: string
  /** With the query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What one request gets; a function writes the response by itself. */
export type Scripted =
  | { readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
  | ((response: ServerResponse, request: IncomingMessage) => void)

export const json = (body: unknown, status = 200) => ({
  status,
  body: JSON.stringify(body),
  headers: { "content-type": "application/json" }
})

export const versions = json({ versions: ["v1.11"] })

/** A server on loopback that answers as `script` says, and remembers what it was asked. */
export const scriptedServer = (script: (asked: Asked, count: number) => Scripted) =>
  Effect.acquireRelease(
    Effect.callback<
      { readonly url: string; readonly asked: ReadonlyArray<Asked>; readonly close: Effect.Effect<void> }
    >(
      (resume) => {
        const asked: Array<Asked> = []
        const server = createServer((request, response) => {
          const chunks: Array<Buffer> = []
          request.on("data", (chunk: Buffer) => chunks.push(chunk))
          request.on("end", () => {
            const one = {
              method: request.method ?? "",
              url: request.url ?? "",
              headers: request.headers,
              body: Buffer.concat(chunks).toString()
            }
            asked.push(one)
            const answer = script(one, asked.length)
            if (typeof answer === "function") return answer(response, request)
            response.writeHead(answer.status, answer.headers).end(answer.body)
          })
        })
        const close = Effect.sync(() => {
          server.closeAllConnections()
          server.close()
        })
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, asked, close }))
        })
      }
    ),
    (server) => server.close
  )
