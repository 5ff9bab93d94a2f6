import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/globalSetup.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // CI gives a test that failed a second try, and says so: .ci/run lists it as unsteady.
    retry: process.env.CI ? 1 : 0,
  },
});
