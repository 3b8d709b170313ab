// Loaded into a bot's process before its own code: it runs as it did before it had keys.
import { registerHooks } from "node:module"

registerHooks({
  resolve(specifier, context, next) {
    if (specifier.endsWith("/SdkCrypto.ts")) {
      return { url: new URL("NoCrypto.ts", import.meta.url).href, shortCircuit: true }
    }
    if (specifier.endsWith("/CompileCrypto.ts")) return { url: "data:text/javascript,", shortCircuit: true }
    return next(specifier, context)
  }
})
