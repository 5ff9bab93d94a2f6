import { mkdtempDisposable, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLatencies } from "./latencies.ts";

const writes = 200;
const pageBytes = 8_192;

/** How long this machine takes to write a page and flush it, as Postgres does at a commit: the median, in µs. */
export async function fsyncUs(): Promise<number> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "bench-"));
  await using file = await open(join(folder.path, "page"), "w");
  const page = Buffer.alloc(pageBytes);
  const latencies = createLatencies();
  for (let written = 0; written < writes; written++) {
    const started = performance.now();
    await file.write(page, 0, pageBytes, 0);
    await file.datasync();
    latencies.add((performance.now() - started) * 1000);
  }
  return latencies.percentileUs(0.5);
}
