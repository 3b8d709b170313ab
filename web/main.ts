/** Hydrogen as a whole, put together from the parts that its package exports, with a session that the sandbox hands out. */
import olmJs from "@matrix-org/olm/olm.js?url"
import olmWasm from "@matrix-org/olm/olm.wasm?url"
import {
  createNavigation,
  createRouter,
  FeatureSet,
  Platform,
  RootViewModel,
  type SessionInfo
} from "hydrogen-view-sdk"

/** In memory: no token stays in the browser when the sandbox has ended. */
class Sessions {
  readonly #sessions: Map<string, SessionInfo>
  constructor(session: SessionInfo) {
    this.#sessions = new Map([[session.id, session]])
  }
  async getAll(): Promise<ReadonlyArray<SessionInfo>> {
    return [...this.#sessions.values()]
  }
  async get(id: string): Promise<SessionInfo | undefined> {
    return this.#sessions.get(id)
  }
  async add(session: SessionInfo): Promise<void> {
    this.#sessions.set(session.id, session)
  }
  async delete(id: string): Promise<void> {
    this.#sessions.delete(id)
  }
  async updateLastUsed(): Promise<void> {}
  async updateAccessToken(id: string, accessToken: string): Promise<void> {
    const session = this.#sessions.get(id)
    if (session !== undefined) this.#sessions.set(id, { ...session, accessToken })
  }
}

/** Hydrogen's own way needs a frame with a script of its own, which the page's policy forbids. */
const save = ({ nativeBlob }: { readonly nativeBlob: Blob }, name: string): void => {
  const href = URL.createObjectURL(nativeBlob)
  Object.assign(document.createElement("a"), { href, download: name }).click()
  URL.revokeObjectURL(href)
}

const start = async (container: HTMLElement): Promise<void> => {
  const answer = await fetch("session", { method: "POST" })
  if (!answer.ok) throw new Error(await answer.text())
  const { homeserver, ...account } = await answer.json()
  const session: SessionInfo = { ...account, homeserver, homeServer: homeserver, lastUsed: Date.now() }

  // The address of an earlier session leads nowhere.
  const home = `#/session/${session.id}`
  if (!location.hash.startsWith(home)) history.replaceState(null, "", home)
  // Some browsers would ask whether this page may keep its data for good. It need not.
  Object.defineProperty(navigator.storage, "persist", { value: async () => false })

  const platform = new Platform({
    container,
    assetPaths: { olm: { wasm: olmWasm, wasmBundle: olmJs }, serviceWorker: "sw.js" },
    config: { defaultHomeServer: homeserver },
    options: { development: import.meta.env.DEV }
  })
  platform.sessionInfoStorage = new Sessions(session)
  platform.saveFileAs = save
  const navigation = createNavigation()
  platform.setNavigation(navigation)
  await platform.init()
  const urlRouter = createRouter({ navigation, history: platform.history })
  urlRouter.attach()
  const features = await FeatureSet.load(platform.settingsStorage)
  const root = new RootViewModel({ platform, urlRouter, navigation, features })
  await root.load()
  platform.createAndMountRootView(root)
}

const container = document.querySelector<HTMLElement>("#app")
if (container !== null) {
  start(container).catch((problem: unknown) => {
    container.textContent = `The sandbox cannot be reached: ${String(problem)}. Is it still running?`
  })
}
