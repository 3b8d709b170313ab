import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Homeserver } from "../../src/layers/Homeserver.ts"
import { Door } from "../../src/layers/Homeserver/Door.ts"
import { WebClient } from "../../src/layers/WebClient.ts"
import { aChat, aDatabase, startBot } from "../programs/World.ts"
import { Chromium, openTab, type Tab } from "./Chromium.ts"

const password = "open sesame"

const world = Layer.unwrap(
  Effect.map(Door, ({ url }) => WebClient.layer({ homeserverUrl: url, user: "you", password }))
).pipe(
  Layer.provideMerge(Door.layer()),
  Layer.provideMerge(
    Homeserver.layer({ users: [{ name: "bot", password: "password" }, { name: "you", password }] })
  ),
  Layer.merge(Chromium.layer)
)

/** As a person does it: look for the room by its name, click, write, press Enter. */
const enterRoom = ({ page }: Tab, name: string) =>
  Effect.promise(() => page.locator(".RoomList").getByText(name, { exact: true }).click())

const write = ({ page }: Tab, message: string) =>
  Effect.promise(async () => {
    await page.getByPlaceholder("Send a message").fill(message)
    await page.keyboard.press("Enter")
  })

/** Waits until the timeline shows it. */
const read = ({ page }: Tab, who: "you" | "bot", message: string) =>
  Effect.promise(() =>
    page.locator(who === "you" ? ".Timeline_message.own" : ".Timeline_message:not(.own)")
      .filter({ hasText: message }).first().waitFor()
  )

/** For who wants to see what the browser showed. */
const screenshot = ({ page }: Tab) => {
  const path = process.env["SCREENSHOT"]
  return path === undefined ? Effect.void : Effect.promise(() => page.screenshot({ path }))
}

layer(world, { excludeTestServices: true, timeout: "1 minute" })("in Chromium", (it) => {
  it.effect("you are signed in, write to the bot, and read its answer, also after a reload", () =>
    Effect.gen(function*() {
      yield* startBot({ database: yield* aDatabase })
      const homeserver = yield* Homeserver
      const you = yield* homeserver.as("you")
      yield* aChat(you, "Tea")

      const web = (yield* WebClient).url
      const tab = yield* openTab(web)
      yield* enterRoom(tab, "Tea")
      yield* read(tab, "bot", "Hello! Write to me here and I will answer.")
      yield* write(tab, "Is there any tea left?")
      yield* read(tab, "you", "Is there any tea left?")
      yield* read(tab, "bot", "Is there any tea left?")
      yield* screenshot(tab)

      yield* Effect.promise(() => tab.page.reload())
      yield* read(tab, "bot", "Is there any tea left?")
      yield* write(tab, "!help")
      yield* read(tab, "bot", "!chats")

      assert.deepStrictEqual(tab.complaints, [])
      assert.deepStrictEqual([...tab.origins].sort(), [new URL(web).origin, (yield* Door).url].sort())
      const requests = yield* homeserver.requests
      assert.deepStrictEqual(
        requests.filter(({ status, user }) => user === you.userId && status === 404).map(({ path }) => path),
        []
      )
      assert.strictEqual(requests.filter(({ path }) => path.endsWith("/keys/upload")).length, 1)
    }))

  it.effect("a picture is sent, and fetched from the homeserver after a reload", () =>
    Effect.gen(function*() {
      const you = yield* (yield* Homeserver).as("you")
      yield* you.createRoom({ name: "Pictures" })
      const { complaints, page } = yield* openTab((yield* WebClient).url)
      yield* Effect.promise(async () => {
        await page.locator(".RoomList").getByText("Pictures", { exact: true }).click()
        const chosen = page.waitForEvent("filechooser")
        await page.getByTitle("Pick attachment").click()
        await page.getByText("Send picture").click()
        const sent = page.waitForResponse((answer) => answer.url().includes("/send/m.room.message/"))
        await (await chosen).setFiles({ name: "a.png", mimeType: "image/png", buffer: await page.screenshot() })
        assert.strictEqual((await sent).status(), 200)
        const fetched = page.waitForResponse((answer) => answer.url().includes("/_matrix/client/v1/media/"))
        await page.reload()
        assert.strictEqual((await fetched).status(), 200)
        // Waits until it is there and can be shown. Nothing that looks again and again: the page's policy lets nobody evaluate text.
        await page.getByAltText("a.png").evaluate("(picture) => picture.decode()")
      })
      assert.deepStrictEqual(complaints, [])
    }))

  it.effect("the page says so when the homeserver does not answer", () =>
    Effect.gen(function*() {
      // Nobody listens on port 1.
      const tab = yield* WebClient.pipe(
        Effect.flatMap((web) => openTab(web.url)),
        Effect.tap(({ page }) => Effect.promise(() => page.getByText("Is it still running?").waitFor())),
        Effect.provide(WebClient.layer({ homeserverUrl: "http://127.0.0.1:1", user: "you", password }))
      )
      assert.include(yield* Effect.promise(() => tab.page.locator("body").innerText()), "The homeserver let nobody in")
    }))
})
