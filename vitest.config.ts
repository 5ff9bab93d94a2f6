import { defineConfig } from "vitest/config";

/** Tests of how long something takes while something else is going on: they have the machine to themselves. */
const alone = [
  "test/integration/edge/abuse*.test.ts",
  "test/integration/edge/halfClosed.test.ts",
  "test/integration/edge/slowReader.test.ts",
  "test/integration/auditor/crowd.test.ts",
  "test/integration/auditor/order.test.ts",
  "test/integration/ledger/inFlight.test.ts",
  "test/integration/reports/load.test.ts",
  "test/integration/spool/outage.test.ts",
  "test/integration/health/*.test.ts",
  "test/integration/start/*.test.ts",
  "test/integration/tickets/*.test.ts",
  "test/integration/faults/*.test.ts",
];

const shared = {
  globalSetup: ["test/support/globalSetup.ts"],
  testTimeout: 30_000,
  hookTimeout: 60_000,
  // CI gives a test that failed a second try, and says so: .ci/run lists it as unsteady.
  retry: process.env.CI ? 1 : 0,
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: "side by side",
          include: ["test/**/*.test.ts"],
          exclude: alone,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: { ...shared, name: "alone", include: alone, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
