import { inject } from "vitest";
import type { TestCluster } from "./globalSetup.ts";

/** The cluster of this worker. */
export function testCluster(): TestCluster {
  const clusters = inject("clusters");
  const cluster = clusters[(Number(process.env.VITEST_POOL_ID ?? 1) - 1) % clusters.length];
  if (cluster === undefined) throw new Error("no cluster was started");
  return cluster;
}
