import { existsSync } from "node:fs";
import { appendFile, open, stat, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { auditorAs, ledgerAs } from "../support/callers.ts";
import { envOf, runCli, startCli } from "../support/cli.ts";
import { expectChainOver, expectTrailerToProve, readExport } from "../support/exportReader.ts";
import { type FileExport, fileExport } from "../support/fileExport.ts";
import { type Relay, startRelay } from "../support/relay.ts";
import { startTestService, type TestService } from "../support/service.ts";

const wallet = "0xdeadbeef00000000000000000000000000000001";

/** Enough for a dozen messages, so that there is a middle to be cut in. */
const actions = 5_000;

let service: TestService;
let uncut: Buffer;

beforeAll(async () => {
  service = await startTestService();
  const bot = await ledgerAs(service, "bot");
  const filler = "x".repeat(300);
  async function* requests() {
    yield { message: { case: "open" as const, value: { streamId: "fill" } } };
    for (let first = 0; first < actions; first += 500) {
      const batch = Array.from({ length: 500 }, (_, i) => ({
        eventId: `e${first + i}`,
        wallet,
        sessionId: "s",
        actionType: "HALT",
        paramsJson: `{"n":${first + i}.0,"filler":"${filler}"}`,
      }));
      yield {
        message: { case: "batch" as const, value: { firstOffset: BigInt(first + 1), actions: batch } },
      };
    }
  }
  for await (const answer of bot.streamUserActions(requests())) {
    expect(answer.message.value).not.toMatchObject({ results: [expect.anything()] });
  }
  const received = await readExport((await ledgerAs(service, "compliance")).exportUserActions({}));
  expectTrailerToProve(received);
  expectChainOver(received.lines, received.trailer);
  expect(received.lines).toHaveLength(actions);
  uncut = received.bytes;
}, 60_000);
afterAll(() => service[Symbol.asyncDispose]());

function exportOf(...filters: string[]): FileExport {
  return fileExport(service, uncut, filters);
}

/** The same records as `uncut`, whatever else is recorded meanwhile. */
function exportOfHalts(): FileExport {
  return exportOf("--action-type", "HALT");
}

function halfway(then: "cut" | "hold"): Promise<Relay> {
  return startRelay(service.grpcPort, uncut.length / 2, then);
}

test.concurrent("an export to stdout gives the bytes the service sends, and nothing else", async () => {
  const run = await runCli(["export", "--action-type", "HALT"], { env: envOf(service) });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  expect(run.stdoutBytes.equals(uncut)).toBe(true);
});

test.concurrent("an export into a file is the same, and leaves no state behind", async () => {
  const to = exportOfHalts();
  const run = await to.run(service.grpcPort);
  await to.expectWhole(run);
  expect(run.stdout).toMatch(/: 5,000 records, complete through position \d+ of epoch 1\n$/);
  expect((await stat(to.output)).mode & 0o077).toBe(0); // Records are nobody else's business.
});

test.concurrent.each([0.0001, 0.3, 0.6, 0.95])(
  "an export cut after %f of its bytes says so, and goes on to the same bytes an uncut one gives",
  async (share) => {
    await using relay = await startRelay(service.grpcPort, Math.round(uncut.length * share), "cut");
    const to = exportOfHalts();
    const run = await to.run(relay.port);
    expect(run).toMatchObject({ exitCode: 4, stdout: "" });
    expect(run.stderr).toMatch(/^governance: the export was cut: .*; run again with --resume\n$/);
    const kept = await to.keptBytes();
    expect(kept).toBeLessThan(uncut.length);
    // All that came in whole messages is kept; each has some 256 KiB.
    expect(kept).toBeGreaterThanOrEqual(Math.max(0, uncut.length * share - 600_000));
    expect((await to.bytes()).equals(uncut.subarray(0, kept))).toBe(true);
    await to.expectWhole(await to.resume());
  },
);

test.concurrent("an export that is cut again and again ends up the same, and without what was recorded meanwhile", async () => {
  const bot = await ledgerAs(service, "bot");
  const to = exportOf("--wallet", wallet);
  for (let cuts = 1; cuts <= 3; cuts++) {
    await using relay = await startRelay(service.grpcPort, 700_000, "cut");
    expect(await to.run(relay.port, "--resume")).toMatchObject({ exitCode: 4 });
    await bot.recordUserAction({ eventId: `later${cuts}`, wallet, sessionId: "s", actionType: "OVERRIDE" });
  }
  const run = await to.resume();
  expect(run.stdout).toContain("5,000 records");
  await to.expectWhole(run);
});

test.concurrent("an export that is cut on its way to stdout says that it is not whole", async () => {
  await using relay = await halfway("cut");
  const run = await runCli(["export"], { env: envOf(service, relay.port) });
  expect(run.exitCode).toBe(4);
  expect(run.stderr).toMatch(/^governance: the export was cut after [\d,]+ records: .*--output FILE.*\n$/);
});

test.concurrent("an export killed with kill -9 goes on to the same bytes", async () => {
  await using relay = await halfway("hold");
  const to = exportOfHalts();
  const { child, done } = await to.stuckBehind(relay);
  child.kill("SIGKILL");
  expect(await done).toMatchObject({ signal: "SIGKILL" });
  expect(await to.keptBytes()).toBeGreaterThan(0);
  await to.expectWhole(await to.resume());
});

test.concurrent("what stands behind the state is dropped on resuming: half a line, or anything else", async () => {
  await using relay = await halfway("hold");
  const to = exportOfHalts();
  const { child, done } = await to.stuckBehind(relay);
  child.kill("SIGKILL");
  await done;
  await appendFile(to.output, '{"epoch":1,"posit');
  await to.expectWhole(await to.resume());
});

test.concurrent("Ctrl-C leaves a file that can be gone on with", async () => {
  await using relay = await halfway("hold");
  const to = exportOfHalts();
  const { child, done } = await to.stuckBehind(relay);
  child.kill("SIGINT");
  const run = await done;
  expect(run).toMatchObject({ exitCode: 130, stdout: "" });
  expect(run.stderr).toMatch(/^governance: the export was cut: stopped; .* run again with --resume\n$/);
  expect(await to.keptBytes()).toBe((await stat(to.output)).size);
  await to.expectWhole(await to.resume());
});

test.concurrent("--resume begins an export that is not there, and refuses to touch one that is complete", async () => {
  const to = exportOfHalts();
  await to.expectWhole(await to.resume());
  const again = await to.resume();
  expect(again.exitCode).toBe(2);
  expect(again.stderr).toMatch(/^governance: --resume: nothing to resume: .* is complete.*\n$/);
  expect((await to.bytes()).equals(uncut)).toBe(true);
});

test.concurrent("a cut export is not overwritten by one without --resume, nor gone on with under other filters", async () => {
  await using relay = await halfway("cut");
  const to = exportOf();
  expect((await to.run(relay.port)).exitCode).toBe(4);
  const kept = await to.keptBytes();
  const anew = await to.run(service.grpcPort);
  expect(anew).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining("go on with --resume, or remove"),
  });
  for (const other of [["--action-type", "HALT"], ["--changes"]]) {
    const run = await to.run(service.grpcPort, "--resume", ...other);
    expect(run).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("was begun with other options"),
    });
  }
  expect(await to.keptBytes()).toBe(kept);
});

test.concurrent("a file that was damaged before it was gone on with is found out, and begun anew by the next run", async () => {
  await using relay = await halfway("hold");
  const to = exportOfHalts();
  const { child, done } = await to.stuckBehind(relay);
  child.kill("SIGKILL");
  await done;
  await using file = await open(to.output, "r+");
  const [byte] = uncut.subarray(1000, 1001);
  await file.write(Buffer.from([byte === 0x39 ? 0x38 : 0x39]), 0, 1, 1000);
  const run = await to.resume();
  expect(run.exitCode).toBe(4);
  expect(run.stderr).toMatch(/chain of hashes.*run again with --resume, which begins anew\n$/);
  await to.expectWhole(await to.resume());
});

test.concurrent("a file shorter than its state says, or a state that is none, is refused", async () => {
  const to = exportOfHalts();
  await writeFile(to.output, "{}\n");
  await writeFile(to.state, stateOf({ resume_token: "x", bytes: 1000 }));
  const short = await to.resume();
  expect(short).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("is shorter than the 1000 bytes"),
  });
  await writeFile(to.state, "{");
  expect(await to.resume()).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("is not the state"),
  });
});

test.concurrent("a token that the service did not make is refused, and what was kept stays", async () => {
  const to = exportOfHalts();
  await writeFile(to.output, uncut.subarray(0, 1000));
  await writeFile(to.state, stateOf({ resume_token: "bm9uZQ", bytes: 1000 }));
  const run = await to.resume();
  expect(run).toMatchObject({
    exitCode: 5,
    stderr: expect.stringMatching(/^governance: INVALID_FIELD: resume_token/),
  });
  expect(await to.keptBytes()).toBe(1000);
});

function stateOf(state: { resume_token: string; bytes: number }): string {
  return JSON.stringify({ request: { user_actions: { action_type: "HALT" } }, ...state });
}

test.concurrent("a service that is not there, or refuses, leaves the file of an earlier export as it is", async () => {
  const to = exportOfHalts();
  await writeFile(to.output, "an earlier one\n");
  expect((await to.run(1)).exitCode).toBe(6);
  const token = await service.token({ roles: ["operator"] });
  const refused = await to.run(service.grpcPort, "--token", token);
  expect(refused).toMatchObject({ exitCode: 5, stderr: expect.stringContaining("ROLE_NOT_ALLOWED") });
  expect((await to.bytes()).toString()).toBe("an earlier one\n");
  expect(existsSync(to.state)).toBe(false);
  await to.expectWhole(await to.run(service.grpcPort));
});

test.concurrent("an export of nothing is an empty file that is complete", async () => {
  const to = exportOf("--session-id", "nobody");
  const run = await to.run(service.grpcPort);
  await to.expectWhole(run, Buffer.alloc(0));
  expect(run.stdout).toContain("0 records");
});

test.concurrent.each([
  [
    "in a folder that is not there",
    "no/such/folder.jsonl",
    1,
    /^governance: .*cannot be written \(ENOENT\)\n$/,
  ],
  ["that is a device", "/dev/null", 2, /^governance: .*not a regular file.*\n$/],
])("an export into a file %s is one line", async (_what, path, exitCode, message) => {
  const run = await runCli(["export", "--output", path], { env: envOf(service), cwd: service.dataDir });
  expect(run).toMatchObject({ exitCode, stdout: "", stderr: expect.stringMatching(message) });
});

test.concurrent("a reader of stdout that goes away leaves an export that is not whole: exit code 4, no noise", async () => {
  const { child, done } = startCli(["export"], { env: envOf(service) });
  child.stdout?.once("data", () => child.stdout?.destroy());
  expect(await done).toMatchObject({ exitCode: 4, stderr: "" });
});

test.concurrent("parameter changes are exported and gone on with in the same way", async () => {
  const gate = await auditorAs(service, "config-store");
  const newValueJson = JSON.stringify("y".repeat(100_000));
  for (let i = 0; i < 40; i++) {
    await gate.checkWrite({ botSlug: "risk.x", paramName: `p${i}`, newValueJson, editorId: "alice" });
  }
  const { bytes } = await readExport((await auditorAs(service, "compliance")).exportParameterChanges({}));
  await using relay = await startRelay(service.grpcPort, bytes.length / 2, "cut");
  const to = exportOf("--changes");
  expect(await to.run(relay.port)).toMatchObject({ exitCode: 4 });
  const run = await to.resume();
  expect(run.stdout).toContain("40 records");
  await to.expectWhole(run, bytes);
});
