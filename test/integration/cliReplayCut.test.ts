import { createHash } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { envOf, runCli, startCli } from "../support/cli.ts";
import { startRelay } from "../support/relay.ts";
import { changeRow, event, replaying, summary } from "../support/replaying.ts";
import { startTestService, type TestService } from "../support/service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

const { file, replay, actionsOf, changesOf } = replaying(() => service);

test.concurrent("a file that cannot be read stops the replay before anything is sent, a cut gzip after what was whole", async () => {
  const good = await file("good.jsonl", event("good", "arn:unread", ""));
  const missing = await replay([good, join(service.dataDir, "missing.jsonl")]);
  expect(missing).toMatchObject({ exitCode: 1, stdout: "" });
  expect(missing.stderr).toMatch(/^governance: .*missing\.jsonl cannot be read \(ENOENT\)\n$/);
  expect(await actionsOf("arn:unread@2023-07-10")).toEqual([]);

  // Noise, so that what is left after the cut still unpacks to many rows.
  const noise = (i: number) => createHash("sha512").update(String(i)).digest("hex");
  const rows = Array.from({ length: 2000 }, (_, i) =>
    event(`gz${i}`, "arn:gz", `,"requestParameters":{"x":"${noise(i)}"}`),
  );
  const packed = gzipSync(rows.join("\n"));
  const cut = await replay([await file("cut.jsonl.gz", packed.subarray(0, packed.length / 2))], "--json");
  expect(cut.exitCode).toBe(1);
  expect(cut.stderr).toMatch(
    /^governance: .*cut\.jsonl\.gz cannot be read \(it is not a whole gzip file, Z_BUF_ERROR\)\n$/,
  );
  const { recorded } = summary(cut);
  expect(recorded).toBeGreaterThan(0);
  expect(await actionsOf("arn:gz@2023-07-10")).toHaveLength(Number(recorded));
});

test.concurrent("a replay of actions whose connection is cut goes on by itself, and records each once", async () => {
  const rows = Array.from({ length: 6000 }, (_, i) =>
    event(`cut${i}`, "arn:cut", `,"requestParameters":{"i":${i}}`),
  );
  const path = await file("connection.jsonl", rows.join("\n"));
  await using relay = await startRelay(service.grpcPort, 300, "cut");
  const run = await runCli(["replay", path, "--json"], { env: envOf(service, relay.port) });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  await relay.broken;
  const { recorded, duplicates, refused } = summary(run);
  expect(Number(recorded) + Number(duplicates)).toBe(6000);
  expect(refused).toBe(0);
  const ids = (await actionsOf("arn:cut@2023-07-10")).map((action) => action.event_id);
  expect(ids).toEqual(rows.map((_, i) => `cut${i}`));
});

test.concurrent("a replay of changes whose connection is cut goes on by itself, in the order of the file", async () => {
  const rows = Array.from({ length: 400 }, (_, i) => changeRow("cut", `p${i % 20}`, i));
  const path = await file("connection-changes.jsonl", rows.join("\n"));
  await using relay = await startRelay(service.grpcPort, 60_000, "cut");
  const run = await runCli(["replay", path, "--json"], { env: envOf(service, relay.port) });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  await relay.broken;
  const { recorded, duplicates } = summary(run);
  expect(Number(recorded) + Number(duplicates)).toBe(400);
  const changes = await changesOf("cut");
  expect(changes).toHaveLength(400);
  for (let p = 0; p < 20; p++) {
    const values = changes
      .filter((change) => change.param_name === `p${p}`)
      .map((change) => change.new_value);
    expect(values).toEqual(Array.from({ length: 20 }, (_, i) => ({ number: String(p + 20 * i) })));
  }
});

test.concurrent("a replay that is killed in the middle is completed by the next one", async () => {
  const rows = Array.from({ length: 3000 }, (_, i) => changeRow("killed", `p${i}`, i));
  const path = await file("killed.jsonl", rows.join("\n"));
  await using relay = await startRelay(service.grpcPort, 60_000, "hold");
  const { child, done } = startCli(["replay", path], { env: envOf(service, relay.port) });
  await relay.broken;
  child.kill("SIGKILL");
  await done;
  const before = (await changesOf("killed")).length;
  expect(before).toBeGreaterThan(0);
  expect(before).toBeLessThan(3000);
  const run = await replay([path], "--json");
  expect(run.exitCode).toBe(0);
  const { recorded, duplicates } = summary(run);
  expect(Number(duplicates)).toBeGreaterThanOrEqual(before);
  expect(Number(recorded) + Number(duplicates)).toBe(3000);
  const ids = (await changesOf("killed")).map((change) => change.write_id);
  expect(new Set(ids)).toEqual(new Set(rows.map((_, i) => `killed.jsonl:${i + 1}`)));
  expect(ids).toHaveLength(3000);
});

test.concurrent("Ctrl-C ends a replay with the summary of what was answered", async () => {
  const rows = Array.from({ length: 20_000 }, (_, i) => changeRow("stopped", `p${i}`, i));
  const { child, done } = startCli(["replay", await file("stopped.jsonl", rows.join("\n")), "--json"], {
    env: envOf(service),
  });
  while ((await changesOf("stopped")).length < 50) await sleep(10);
  child.kill("SIGINT");
  const run = await done;
  expect(run).toMatchObject({
    exitCode: 130,
    stderr: "governance: stopped; replay again to send the rest\n",
  });
  const { recorded, refused } = summary(run);
  expect(refused).toBe(0);
  expect(recorded).toBeLessThan(20_000);
  expect(await changesOf("stopped")).toHaveLength(Number(recorded));
});

test.concurrent("a token that may not record ends the replay at its first row", async () => {
  const token = await service.token({ roles: ["compliance"] });
  const rows = Array.from({ length: 100 }, (_, i) => changeRow("denied", "p", i));
  for (const path of [
    await file("denied.jsonl", rows.join("\n")),
    await file("denied2.jsonl", event("d", "arn:d", "")),
  ]) {
    const run = await replay([path], "--token", token);
    expect(run).toMatchObject({ exitCode: 5, stdout: "" });
    expect(run.stderr).toMatch(/^governance: ROLE_NOT_ALLOWED: [^\n]*\n$/);
  }
});

test.concurrent("without a service a replay ends at once", async () => {
  const path = await file("unreachable.jsonl", changeRow("x", "p", 1));
  const started = performance.now();
  const run = await runCli(["replay", path], { env: envOf(service, 1) });
  expect(run).toMatchObject({ exitCode: 6, stdout: "" });
  expect(performance.now() - started).toBeLessThan(5000);
});
