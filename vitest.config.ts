import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    coverage: {
      include: ["src/**/*.ts"],
      reporter: ["text-summary", "json-summary"],
      thresholds: { lines: 90, branches: 80 }
    },
    // The bot logs as it always does; what is worth reading is the log of a test that failed.
    silent: "passed-only",
    // As in `src/RunProcess.ts`: a client of the SDK that is stopped while it has something to send rejects a promise that nobody holds.
    onUnhandledError: ({ message }) => message !== "OutgoingRequestsManager was stopped",
    projects: [
      {
        test: {
          name: "fast",
          include: ["test/**/*.test.ts"],
          exclude: ["test/acceptance/**", "test/browser/**"]
        }
      },
      {
        // Needs Chromium: Debian's, or the one that CHROMIUM names.
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000
        }
      },
      {
        // One Synapse for all files, so they run one after another.
        test: {
          name: "acceptance",
          include: ["test/acceptance/**/*.test.ts"],
          globalSetup: ["test/acceptance/Synapse.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 180_000
        }
      }
    ]
  }
})
