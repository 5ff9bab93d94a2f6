import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { auditorAs, ledgerAs } from "../../support/callers.ts";
import { createTestDatabase } from "../../support/database.ts";
import { metricValue } from "../../support/metrics.ts";
import { startDatabaseProxy } from "../../support/proxy.ts";
import { startTestService } from "../../support/service.ts";
import { enforce, write } from "../auditor/writes.ts";
import { action } from "../ledger/actions.ts";
import { drained } from "../spool/spooling.ts";
import { lookedThrough, names, quickly, startReceiver, until } from "./receiving.ts";

const running = new AsyncDisposableStack();
const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-alerts-")));
afterAll(() => running.disposeAsync());

const p0 = write("armed", { botSlug: "risk.killswitch", ticketRef: "PTRD-1", newValueJson: "4711" });

/** Postgres may be slow for a moment on a busy machine, and that is told too. */
const isAboutRecords = ({ reason_code: code }: { reason_code: string }) =>
  code !== "AUDIT_LOG_UNAVAILABLE" && code !== "LEDGER_WRITE_FAILED";

test("a webhook is told of each kind of alert once, signed, without values and wallets", async () => {
  await using receiver = await startReceiver(folder.path);
  await using service = await startTestService({ config: enforce + receiver.config, limits: quickly });
  const configStore = await auditorAs(service, "config-store");
  const changed = await configStore.checkWrite(p0);
  const rejected = await configStore.checkWrite({ ...p0, ticketRef: "" });
  await configStore.checkWrite(write("size"));
  const late = { writeId: "late", changedAt: { seconds: 1n, nanos: 0 }, cause: "UNAVAILABLE" };
  const ungated = await configStore.recordUngatedWrite({ ...p0, ...late });
  const emergency = await (await auditorAs(service, "break-glass")).checkWrite({
    ...p0,
    ticketRef: "",
    breakGlassReason: "the venue is down",
  });
  const bot = await ledgerAs(service, "bot");
  const wallet = action("w").wallet ?? "";
  const switched = await bot.recordUserAction(action(`halt ${wallet}`, { actionType: "KILL_SWITCH" }));
  await lookedThrough(service.database);

  const all = receiver.taken().filter(isAboutRecords);
  expect(names(all)).toEqual(
    [
      `P0_PARAMETER_CHANGED ${changed.decisionId}`,
      `AUDIT_TICKET_REQUIRED ${rejected.decisionId}`,
      `P0_PARAMETER_CHANGED ${ungated.decisionId}`,
      `UNGATED_WRITE ${ungated.decisionId}`,
      `BREAK_GLASS_USED ${emergency.decisionId}`,
      `P0_PARAMETER_CHANGED ${emergency.decisionId}`,
      `KILL_SWITCH_ACTIVE ${switched.report?.reportId.replace(/.*_/, "")}`,
    ].toSorted(),
  );
  expect(all[0]).toMatchObject({
    severity: "P1",
    decision_id: changed.decisionId,
    bot_slug: "risk.killswitch",
    runbook_url: "docs/runbooks.md#runbook-parameterauditor-p0",
  });
  const text = JSON.stringify(receiver.server.requests).toLowerCase();
  expect(text).not.toContain("4711");
  expect(text).not.toContain("venue is down");
  expect(text).not.toContain(wallet.toLowerCase());
  expect(await metricValue(service, 'polytraders_gov_alert_receiver_ok{receiver="pager"}')).toBe(1);
});

test("alert_on_p0_change=false silences the page, and automation pages nobody, also out of the log (R16)", async () => {
  await using receiver = await startReceiver(folder.path);
  const off = "gov.parameterchangeauditor: { mode: enforce, alert_on_p0_change: false }";
  const config = `${off}\ntiers: { "risk.killswitch.*": P0 }\nautomation: [{ subject: refresher, pattern: "*" }]\n`;
  await using service = await startTestService({ config: config + receiver.config, limits: quickly });
  await (await auditorAs(service, "config-store")).checkWrite(p0);
  const refresher = await auditorAs(service, "config-store", { subject: "refresher" });
  await refresher.checkWrite({ ...p0, ticketRef: "" });
  await lookedThrough(service.database);
  expect(receiver.taken().filter(isAboutRecords)).toEqual([]);
});

test("with Postgres frozen people are told at once, and not again when it is back (R25)", async () => {
  await using receiver = await startReceiver(folder.path);
  await using database = await createTestDatabase();
  await using proxy = await startDatabaseProxy();
  await using service = await startTestService({
    config: enforce + receiver.config,
    database,
    env: { DATABASE_URL: proxy.through(database.url("service")) },
    limits: quickly,
  });
  const configStore = await auditorAs(service, "config-store");
  await configStore.checkWrite({ ...p0, paramName: "warm" });
  await lookedThrough(database);

  proxy.freeze();
  const { decisionId } = await configStore.checkWrite(p0);
  await until("told while Postgres says nothing", () =>
    names(receiver.taken()).includes(`P0_PARAMETER_CHANGED ${decisionId}`),
  );
  await until("told that it is away", () =>
    receiver.taken().some(({ reason_code: code }) => code === "AUDIT_LOG_UNAVAILABLE"),
  );
  proxy.thaw();
  await drained(service);
  await until("the outage is on record", async () => {
    const found = await database.query(
      "superuser",
      "select from log.recovery where bot = 'gov.parameterchangeauditor'",
    );
    return found.length > 0;
  });
  await lookedThrough(database);
  const outages = await database.query(
    "superuser",
    "select from log.recovery where bot = 'gov.parameterchangeauditor'",
  );
  const codes = names(receiver.taken()).map((name) => name.split(" ")[0]);
  expect(codes.filter((code) => code === "P0_PARAMETER_CHANGED")).toHaveLength(2);
  expect(codes.filter((code) => code === "AUDIT_LOG_UNAVAILABLE")).toHaveLength(outages.length);
});

test("a receiver that fails, hangs and cuts has each alert once, soon after it takes them again", async () => {
  await using receiver = await startReceiver(folder.path);
  await using service = await startTestService({ config: enforce + receiver.config, limits: quickly });
  const configStore = await auditorAs(service, "config-store");
  const expected: string[] = [];
  const change = async () => {
    const { decisionId } = await configStore.checkWrite(p0);
    expected.push(`P0_PARAMETER_CHANGED ${decisionId}`);
  };
  const sockets: { destroy(): void }[] = [];
  const tried = () => receiver.server.requests.length;
  for (const misbehave of [
    (...[, response]: Parameters<Parameters<typeof receiver.refuse>[0]>) =>
      void response.writeHead(500).end(),
    (...[, , socket]: Parameters<Parameters<typeof receiver.refuse>[0]>) => void sockets.push(socket),
    (...[, , socket]: Parameters<Parameters<typeof receiver.refuse>[0]>) => void socket.destroy(),
  ]) {
    receiver.refuse(misbehave);
    const before = tried();
    await change();
    await until("it is tried again", () => tried() >= before + 2);
    expect(await metricValue(service, 'polytraders_gov_alert_receiver_ok{receiver="pager"}')).toBe(0);
  }
  expect(receiver.taken()).toEqual([]);
  receiver.take();
  await until("all is told", () => receiver.taken().filter(isAboutRecords).length >= expected.length);
  await lookedThrough(service.database);
  expect(names(receiver.taken().filter(isAboutRecords))).toEqual(expected.toSorted());
});

test("what a receiver that was down was not told before the service ended it is told after the next start, once", async () => {
  await using receiver = await startReceiver(folder.path);
  await using database = await createTestDatabase();
  await using data = await mkdtempDisposable(join(tmpdir(), "governance-alerts-data-"));
  const start = (config: string) =>
    startTestService({ config, database, env: { GOVERNANCE_DATA_DIR: data.path }, limits: quickly });
  const expected: string[] = [];
  const change = async (service: Awaited<ReturnType<typeof start>>) => {
    const { decisionId } = await (await auditorAs(service, "config-store")).checkWrite(p0);
    expected.push(`P0_PARAMETER_CHANGED ${decisionId}`);
  };
  {
    await using service = await start(enforce + receiver.config);
    await change(service);
    await lookedThrough(database);
    receiver.refuse((_, __, socket) => void socket.destroy());
    await change(service);
    await (await ledgerAs(service, "bot")).recordUserAction(action("halt", { actionType: "KILL_SWITCH" }));
  }
  {
    // Nobody to tell: only the log has it.
    await using service = await start(enforce);
    await change(service);
  }
  receiver.take();
  await using _service = await start(enforce + receiver.config);
  await until("all is told", () => receiver.taken().filter(isAboutRecords).length >= expected.length + 1);
  await lookedThrough(database);
  const all = receiver.taken().filter(isAboutRecords);
  expect(names(all.filter(({ reason_code: code }) => code !== "KILL_SWITCH_ACTIVE"))).toEqual(
    expected.toSorted(),
  );
  expect(all.filter(({ reason_code: code }) => code === "KILL_SWITCH_ACTIVE")).toHaveLength(1);
});

test("an alert that is refused for what it is holds up no other; after a restart it alone is told", async () => {
  await using receiver = await startReceiver(folder.path);
  await using database = await createTestDatabase();
  await using data = await mkdtempDisposable(join(tmpdir(), "governance-alerts-data-"));
  const start = () =>
    startTestService({
      config: enforce + receiver.config,
      database,
      env: { GOVERNANCE_DATA_DIR: data.path },
      limits: quickly,
    });
  const expected: string[] = [];
  {
    await using service = await start();
    receiver.refuse((_, response) => void response.writeHead(422).end(), "KILL_SWITCH_ACTIVE");
    const bot = await ledgerAs(service, "bot");
    const { report } = await bot.recordUserAction(action("halt", { actionType: "KILL_SWITCH" }));
    expected.push(`KILL_SWITCH_ACTIVE ${report?.reportId.replace(/.*_/, "")}`);
    const configStore = await auditorAs(service, "config-store");
    for (let n = 0; n < 3; n++) {
      expected.push(`P0_PARAMETER_CHANGED ${(await configStore.checkWrite(p0)).decisionId}`);
    }
    await until("the others are told, and that is noted", async () => {
      const noted = await database.query(
        "superuser",
        "select from log.alert_delivery where reason_code ~ '^P0_'",
      );
      return noted.length === 3;
    });
  }
  receiver.take();
  await using _service = await start();
  await lookedThrough(database);
  expect(names(receiver.taken().filter(isAboutRecords))).toEqual(expected.toSorted());
});

test("another replica tells what the one that decided did not live to tell", async () => {
  await using receiver = await startReceiver(folder.path);
  await using database = await createTestDatabase();
  await using data = await mkdtempDisposable(join(tmpdir(), "governance-alerts-data-"));
  const keyFile = join(data.path, "scrub.key");
  await writeFile(keyFile, "ab".repeat(32));
  const env = { GOVERNANCE_SCRUB_KEY_FILE: keyFile };
  await using first = await startTestService({
    config: enforce + receiver.config,
    database,
    env,
    limits: quickly,
  });
  await using silent = await startTestService({ config: enforce, database, env, limits: quickly });
  await lookedThrough(database);
  const { decisionId } = await (await auditorAs(silent, "config-store")).checkWrite(p0);
  await until("it is told", () => receiver.taken().filter(isAboutRecords).length > 0);
  expect(names(receiver.taken().filter(isAboutRecords))).toEqual([`P0_PARAMETER_CHANGED ${decisionId}`]);
  expect(await metricValue(first, "polytraders_gov_parameterchangeauditor_p0_alerts_total")).toBe(0);
});

test("what is only in the log is told as well: an outage, lost records, a ticket that turned out false", async () => {
  await using receiver = await startReceiver(folder.path);
  const automation = "automation: [{ subject: refresher, pattern: strategy.* }]\n";
  await using service = await startTestService({
    config: enforce + automation + receiver.config,
    limits: quickly,
  });
  const { database } = service;
  const { decisionId } = await (await auditorAs(service, "config-store")).checkWrite(write("size"));
  const refresher = await auditorAs(service, "config-store", { subject: "refresher" });
  await refresher.checkWrite(write("ttl"));
  await lookedThrough(database);
  // As a replica that ended at once would have left them.
  await database.query(
    "service",
    `insert into log.recovery (recorded_at, ord, record_id, bot, from_at, to_at, buffered, flushed, folded, conflicting,
       refused, lost)
     values (now(), 0, 'OUTAGE', 'gov.useractivityledger', now(), now(), 1, 1, 0, 0, 0, 0),
       (now(), 1, 'LOSS', 'gov.parameterchangeauditor', now(), now(), 2, 1, 0, 0, 0, null)`,
  );
  await database.query(
    "service",
    `insert into auditor.ticket_recheck (accepted_at, checked_at, epoch, ord, record_id, decision_id, bot_key, param_key,
       status, why)
     select accepted_at, now(), log.current_epoch(), row_number() over (), 'recheck ' || record_id, record_id, bot_key, param_key, 'INVALID',
       'closed' from auditor.parameter_change`,
  );
  await until("it is told", () => receiver.taken().length >= 4);
  await lookedThrough(database);
  const codes = new Set(["OUTAGE", "LOSS", decisionId]);
  expect(names(receiver.taken().filter(({ dedupe_key: id }) => codes.has(id)))).toEqual(
    [
      "LEDGER_WRITE_FAILED OUTAGE",
      "AUDIT_LOG_UNAVAILABLE LOSS",
      "SPOOL_DAMAGED LOSS",
      `AUDIT_TICKET_INVALID ${decisionId}`,
    ].toSorted(),
  );
  expect(receiver.taken().filter(({ reason_code: code }) => code === "AUDIT_TICKET_INVALID")).toHaveLength(1);
});

test("with Postgres frozen and a receiver that hangs the service stops in its time", async () => {
  await using receiver = await startReceiver(folder.path);
  await using database = await createTestDatabase();
  await using proxy = await startDatabaseProxy();
  const service = await startTestService({
    config: enforce + receiver.config,
    database,
    env: { DATABASE_URL: proxy.through(database.url("service")) },
    limits: { ...quickly, alertTimeoutMs: 60_000 },
  });
  const configStore = await auditorAs(service, "config-store");
  await configStore.checkWrite({ ...p0, paramName: "warm" });
  await lookedThrough(database);
  receiver.refuse(() => undefined);
  proxy.freeze();
  await configStore.checkWrite(p0);
  await until("it is being told", () => receiver.server.requests.length >= 2);
  const startedMs = performance.now();
  await service[Symbol.asyncDispose]();
  expect(performance.now() - startedMs).toBeLessThan(9_500);
});

test("receivers are changed with the config file while the service runs", async () => {
  await using receiver = await startReceiver(folder.path);
  await using service = await startTestService({
    config: enforce,
    limits: { ...quickly, configFileEveryMs: 20 },
  });
  const configStore = await auditorAs(service, "config-store");
  await configStore.checkWrite(p0);
  await until("the log has it", async () => {
    const placed = await service.database.query("superuser", "select from log.entry where source = 'c'");
    return placed.length > 0;
  });
  await writeFile(service.configFile, enforce + receiver.config);
  await until("it is in force", async () => {
    const ok = await metricValue(service, 'polytraders_gov_alert_receiver_ok{receiver="pager"}');
    return ok === 1;
  });
  const { decisionId } = await configStore.checkWrite(p0);
  await lookedThrough(service.database);
  // What was before the receiver was there is no news.
  expect(names(receiver.taken().filter(isAboutRecords))).toEqual([`P0_PARAMETER_CHANGED ${decisionId}`]);
});
