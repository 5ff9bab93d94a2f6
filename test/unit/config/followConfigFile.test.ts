import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { expect, test, vi } from "vitest";
import type { LoadedFile } from "../../../src/configFile.ts";
import { followConfigFile } from "../../../src/followConfigFile.ts";
import { logRecords } from "../../support/logRecords.ts";

/** A followed file, and what was taken over of it. */
async function follow(text: string, more: { everyMs?: number; settle?: () => Promise<void> } = {}) {
  const running = new AsyncDisposableStack();
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-follow-")));
  const path = join(folder.path, "config.yaml");
  await writeFile(path, text);
  const adopted: LoadedFile[] = [];
  const { log, records } = logRecords();
  const file = followConfigFile({
    path,
    everyMs: more.everyMs ?? 10,
    adopt(loaded) {
      const changed = adopted.length > 0 && !isDeepStrictEqual(loaded, adopted.at(-1));
      adopted.push(loaded);
      return { kind: "in_force", changed, policyVersion: String(adopted.length), mode: "enforce" };
    },
    settle: more.settle ?? (async () => undefined),
    onState: () => undefined,
    log,
  });
  running.use(file);
  return { path, file, adopted, records, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

test("a file that says the same in other words is read and is no news", async () => {
  await using followed = await follow("tiers: { risk.*: P1 }\n");
  await vi.waitFor(() => expect(followed.adopted).toHaveLength(1), 10_000);
  await writeFile(followed.path, "# a remark\ntiers:\n  risk.*: P1\n");
  await vi.waitFor(() => expect(followed.adopted).toHaveLength(2), 10_000);
  await writeFile(followed.path, "tiers: { risk.*: P2 }\n");
  await vi.waitFor(
    () => expect(followed.records()).toMatchObject([{ changed: true, policyVersion: "3" }]),
    10_000,
  );
});

test("asked to, it reads at once and says so, changed or not", async () => {
  await using followed = await follow("{}", { everyMs: 1_000_000 });
  await followed.file.reload();
  await writeFile(followed.path, "tiers: { risk.*: P2 }\n");
  await followed.file.reload();
  expect(followed.records()).toMatchObject([{ changed: false }, { changed: true }]);
});

test("asked to, it says again what is wrong", async () => {
  await using followed = await follow("teirs: {}", { everyMs: 1_000_000 });
  await followed.file.reload();
  await followed.file.reload();
  const refused = { level: 50, path: followed.path, problem: 'Unrecognized key: "teirs"' };
  expect(followed.records()).toMatchObject([refused, refused]);
  expect(followed.adopted).toEqual([]);
});

test("what could not be noted is tried again until it is", async () => {
  let tries = 0;
  const settle = async () => {
    if (++tries < 3) throw new Error("the database is away");
  };
  await using followed = await follow("{}", { settle });
  await vi.waitFor(() => expect(followed.adopted).toHaveLength(1), 10_000);
  await writeFile(followed.path, "tiers: { risk.*: P2 }\n");
  await vi.waitFor(() => expect(tries).toBe(3), 10_000);
  await followed.file.reload();
  expect(tries).toBe(3);
});
