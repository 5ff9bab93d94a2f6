import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AuditorClient, auditorAs, type LedgerClient, ledgerAs } from "../support/callers.ts";
import { type CliRun, envOf, type RunningCli, runCli, startCli } from "../support/cli.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { startRelay } from "../support/relay.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { action } from "./ledger/actions.ts";

let service: TestService;
let bot: LedgerClient;
let store: AuditorClient;
beforeAll(async () => {
  service = await startTestService({
    config: "gov.parameterchangeauditor: { mode: enforce }\ntiers: { risk.k.*: P0 }",
  });
  bot = await ledgerAs(service, "bot", { subject: "router" });
  store = await auditorAs(service, "config-store", { subject: "store" });
  await bot.recordUserAction(action("first"));
  await bot.recordUserAction(
    action("kill", { actionType: "KILL_SWITCH", paramsJson: '{"why":"\\u001b[31mred\\n"}' }),
  );
  await store.checkWrite({
    botSlug: "risk.k",
    paramName: "p",
    oldValueJson: "1",
    newValueJson: "2",
    editorId: "alice",
  });
});
afterAll(() => service[Symbol.asyncDispose]());

/** What a command under way has written to stdout so far, line by line. */
type Watched = RunningCli & {
  until(condition: (lines: readonly string[]) => boolean): Promise<readonly string[]>;
};

function watch(args: readonly string[], of = service, port = of.grpcPort): Watched {
  const running = startCli(["tail", ...args], { env: envOf(of, port) });
  let text = "";
  running.child.stdout?.on("data", (bytes: Buffer) => {
    text += bytes.toString();
  });
  return {
    ...running,
    async until(condition) {
      const deadline = performance.now() + 30_000;
      for (;;) {
        const lines = text.split("\n").slice(0, -1);
        if (condition(lines)) return lines;
        if (performance.now() > deadline) throw new Error(`it did not come; so far:\n${text}`);
        await sleep(20);
      }
    },
  };
}

/** Whoever follows from now has to have begun before anything comes: its row is in the access log, and a moment more. */
async function tailing(database: TestDatabase): Promise<void> {
  const rows = `select from access.read_log where method = 'ReportService/StreamReports' and filters_json like '%"from":"now"%'`;
  while ((await database.query("superuser", rows)).length === 0) await sleep(20);
  await sleep(1_000);
}

async function interrupt(running: RunningCli): Promise<CliRun> {
  running.child.kill("SIGINT");
  return running.done;
}

test("from the start: one readable line a report, without colours where nobody sees them", async () => {
  const running = watch(["--from-start"]);
  const lines = await running.until((sofar) => sofar.length >= 4);
  expect(lines).toEqual([
    expect.stringMatching(
      /^\d{4}-\d\d-\d\dT[\d:.]{12}Z {2}USER_ACTION_RECORDED {7}router {2}STRATEGY_START wallet=0xDead\w+ session=sess_1 event=first$/,
    ),
    expect.stringMatching(/USER_ACTION_RECORDED .*KILL_SWITCH .*\{"why":"\\u001b\[31mred\\n"\}$/),
    expect.stringMatching(/KILL_SWITCH_ACTIVE .*event=kill/),
    expect.stringMatching(/AUDIT_TICKET_REQUIRED {6}alice by store {2}risk\.k\.p 1 -> 2 P0 /),
  ]);
  const { exitCode, stderr } = await interrupt(running);
  expect(exitCode).toBe(130);
  expect(stderr).toMatch(/^governance: stopped; go on with --after 1:3(\.0)?\n$/);
});

test("from now, filtered, as JSON: what comes, and nothing else", async () => {
  const running = watch([
    "--json",
    "--type",
    "USER_ACTION_RECORDED",
    "--topic",
    "settlement",
    "--bot",
    "gov.useractivityledger",
  ]);
  await tailing(service.database);
  await bot.recordUserAction(action("seen", { actionType: "KILL_SWITCH" }));
  await store.checkWrite({ botSlug: "b", paramName: "p", newValueJson: "2", editorId: "alice" });
  await bot.recordUserAction(action("seen too"));
  const lines = await running.until((sofar) => sofar.length >= 2);
  expect(lines.map((line) => JSON.parse(line).settlement.event_id)).toEqual(["seen", "seen too"]);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    at: { epoch: "1", part: 0 },
    settlement: { event_type: "USER_ACTION_RECORDED" },
  });
  expect((await interrupt(running)).exitCode).toBe(130);
});

test("--after goes on behind a place, and behind one of several reports on a record", async () => {
  const behind = watch(["--after", "1:2"]);
  expect((await behind.until((lines) => lines.length > 0))[0]).toContain("AUDIT_TICKET_REQUIRED");
  await interrupt(behind);
  const between = watch(["--after", "1:2.0", "--wallet", action("").wallet ?? ""]);
  expect((await between.until((lines) => lines.length > 0))[0]).toContain("KILL_SWITCH_ACTIVE");
  await interrupt(between);
});

test("cut while it reads: it goes on by itself, and every report is there once", async () => {
  await using relay = await startRelay(service.grpcPort, 20_000, "cut");
  const running = watch(["--from-start", "--json", "--type", "USER_ACTION_RECORDED"], service, relay.port);
  for (let i = 0; i < 100; i++) await bot.recordUserAction(action(`through a cut ${i}`));
  const lines = await running.until((sofar) => sofar.at(-1)?.includes("through a cut 99") ?? false);
  const cuts = lines
    .map((line) => String(JSON.parse(line).settlement.event_id))
    .filter((id) => id.startsWith("through"));
  expect(cuts).toEqual(Array.from({ length: 100 }, (_, i) => `through a cut ${i}`));
  expect((await interrupt(running)).stderr).toContain("the connection was cut; trying again");
});

test("a service that is started again is followed on, also by who had seen nothing yet", async () => {
  await using database = await createTestDatabase();
  await using folder = await mkdtempDisposable(join(tmpdir(), "governance-tail-"));
  const own = { GOVERNANCE_DATA_DIR: folder.path };
  const first = await startTestService({ database, env: own });
  const running = watch(["--json"], first);
  await tailing(database);
  await using other = await startTestService({
    database,
    env: { GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key") },
  });
  await first[Symbol.asyncDispose]();
  await (await ledgerAs(other, "bot")).recordUserAction(action("while it was away"));
  const address = { GOVERNANCE_GRPC_ADDR: `127.0.0.1:${first.grpcPort}` };
  await using _again = await startTestService({ database, env: { ...own, ...address } });
  const [line = "{}"] = await running.until((lines) => lines.length > 0);
  expect(JSON.parse(line).settlement.event_id).toBe("while it was away");
  expect((await interrupt(running)).stderr).toMatch(/SHUTTING_DOWN.*; trying again\n/);
});

test.each([
  ["two beginnings", ["--after", "1:1", "--from-start"], 2, "--after and --from-start: give one of them"],
  ["a place that is none", ["--after", "42"], 2, "It is not epoch:position, e.g. 1:42."],
  ["another topic", ["--topic", "reports"], 2, "It is settlement or operations."],
  ["an old epoch", ["--after", "7:1"], 5, "LOG_EPOCH_CHANGED"],
])("%s: one line, and no retry", async (_, args, exitCode, message) => {
  const run = await runCli(["tail", ...args], { env: envOf(service) });
  expect(run.stderr).toContain(message);
  expect(run.exitCode).toBe(exitCode);
});

test("nobody there from the beginning: it says so at once", async () => {
  const run = await runCli(["tail"], { env: envOf(service, 1) });
  expect(run).toMatchObject({ exitCode: 6, stdout: "" });
});
