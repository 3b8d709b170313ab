/** The package brings no types. These are of what `main.ts` uses. */
declare module "hydrogen-view-sdk" {
  export interface SessionInfo {
    readonly id: string
    readonly userId: string
    readonly deviceId: string
    readonly accessToken: string
    /** Both spellings are read. */
    readonly homeserver: string
    readonly homeServer: string
    readonly lastUsed: number
  }
  export interface SessionInfoStorage {
    getAll(): Promise<ReadonlyArray<SessionInfo>>
    get(id: string): Promise<SessionInfo | undefined>
    add(session: SessionInfo): Promise<void>
    delete(id: string): Promise<void>
    updateLastUsed(id: string, timestamp: number): Promise<void>
    updateAccessToken(id: string, accessToken: string): Promise<void>
  }
  interface Navigation {
    readonly path: unknown
  }
  interface History {
    get(): string
  }
  interface UrlRouter {
    attach(): void
  }
  export class Platform {
    constructor(options: {
      readonly container: HTMLElement
      readonly assetPaths: {
        readonly olm: { readonly wasm: string; readonly wasmBundle: string }
        readonly serviceWorker: string
      }
      readonly config: { readonly defaultHomeServer: string }
      readonly options: { readonly development: boolean }
    })
    readonly history: History
    readonly settingsStorage: object
    sessionInfoStorage: SessionInfoStorage
    saveFileAs: (blob: { readonly nativeBlob: Blob }, filename: string) => void
    setNavigation(navigation: Navigation): void
    init(): Promise<void>
    createAndMountRootView(root: RootViewModel): void
  }
  interface Features {
    isFeatureEnabled(feature: number): boolean
  }
  export const FeatureSet: { load(settings: object): Promise<Features> }
  export class RootViewModel {
    constructor(options: {
      readonly platform: Platform
      readonly urlRouter: UrlRouter
      readonly navigation: Navigation
      readonly features: Features
    })
    load(): Promise<void>
  }
  export const createNavigation: () => Navigation
  export const createRouter: (options: { readonly navigation: Navigation; readonly history: History }) => UrlRouter
}
