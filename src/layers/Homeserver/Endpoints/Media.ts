/** Uploading and downloading files. */
import { keepMedia, largestUpload, type Media, mediaOf } from "../Media.ts"
import { badParam, Refusal } from "../Refusal.ts"
import { type HomeserverAnswer, openFile, route, routeFile, type Visit } from "../Router.ts"

const config = () => ({ "m.upload.size": largestUpload })

const isSafeInline = (type: string): boolean => /^(image\/(png|jpeg|gif|webp)|audio\/|video\/|text\/plain)/.test(type)

/** A file is shown by a browser only if it cannot run there ("Serving content", security considerations). */
const fileAnswer = ({ bytes, contentType, fileName }: Media): HomeserverAnswer => ({
  status: 200,
  body: bytes,
  headers: {
    "content-type": contentType,
    "content-disposition": (isSafeInline(contentType) ? "inline" : "attachment") +
      (fileName === undefined ? "" : `; filename*=utf-8''${encodeURIComponent(fileName)}`),
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "cross-origin"
  }
})

const download = ({ params, world }: Visit): HomeserverAnswer =>
  fileAnswer(mediaOf(world, params["serverName"] ?? "", params["mediaId"] ?? ""))

/** The file itself, whatever its size: a thumbnail may be larger than what was asked for. */
const thumbnail = (visit: Visit): HomeserverAnswer => {
  const { height, width } = visit.request.query
  if (!(Number(width) > 0 && Number(height) > 0)) throw badParam("M_MISSING_PARAM", "width and height are needed")
  return download(visit)
}

const file = "{serverName}/{mediaId}"

export const mediaRoutes = [
  route("GET", "/_matrix/client/v1/media/config", config),
  route("GET", "/_matrix/media/v3/config", config),
  route("POST", "/_matrix/media/v3/upload", ({ request: { body, contentType, query }, world }) => {
    if (!(body instanceof Uint8Array)) throw new Refusal(400, "M_UNKNOWN", "No content was uploaded")
    const uploaded = {
      bytes: body,
      contentType: contentType ?? "application/octet-stream",
      fileName: query["filename"]
    }
    return { content_uri: keepMedia(world, uploaded) }
  }),
  routeFile("GET", `/_matrix/client/v1/media/download/${file}`, download),
  routeFile("GET", `/_matrix/client/v1/media/download/${file}/{fileName}`, download),
  routeFile("GET", `/_matrix/client/v1/media/thumbnail/${file}`, thumbnail),
  // Older clients ask without a token; Synapse serves them what was uploaded before it began to ask for one.
  openFile("GET", `/_matrix/media/v3/download/${file}`, download),
  openFile("GET", `/_matrix/media/v3/download/${file}/{fileName}`, download),
  openFile("GET", `/_matrix/media/v3/thumbnail/${file}`, thumbnail)
]
