import { readFileSync } from "node:fs"
import { findPackageJSON } from "node:module"
import { dirname, join } from "node:path"
import { defineConfig, type Plugin } from "vite"

/** Hydrogen's service worker fetches pictures with the access token. It has to stand beside the page, under its own name. */
const serviceWorker = (): Plugin => ({
  name: "service-worker",
  apply: "build",
  generateBundle() {
    const hydrogen = dirname(findPackageJSON("hydrogen-view-sdk", import.meta.url) ?? "")
    this.emitFile({
      type: "asset",
      fileName: "sw.js",
      source: readFileSync(join(hydrogen, "lib-build/sw.js"))
    })
  }
})

export default defineConfig({
  // Every sandbox serves the page under a path of its own.
  base: "./",
  plugins: [serviceWorker()],
  build: { emptyOutDir: true, chunkSizeWarningLimit: 1000, modulePreload: false }
})
