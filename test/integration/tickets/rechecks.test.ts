import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { TicketStatus } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { stoppedClock } from "../../support/clock.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { logRecords } from "../../support/logRecords.ts";
import { metricValue } from "../../support/metrics.ts";
import { issue, noIssue, startTicketServer } from "../../support/ticketServer.ts";
import { armed, capped, withTickets } from "./auditors.ts";

/** Asked about again at once; pauses are for other tests. */
const eager = { ticketRecheckEveryMs: 50, ticketPauseMs: 50, ticketFailuresToOpen: 1_000 };
/** Never, while a test runs. */
const never = { ...eager, ticketRecheckEveryMs: 3_600_000 };

const unverified = { allowed: true, ticketStatus: TicketStatus.UNVERIFIED };

type Recheck = { decision_id: string; status: string; why: string | null };

function rechecks(database: TestDatabase): Promise<Recheck[]> {
  return database.query<Recheck>(
    "superuser",
    "select decision_id, status, why from auditor.ticket_recheck order by epoch, xid, ord",
  );
}

async function settled(database: TestDatabase, count: number): Promise<Recheck[]> {
  return vi.waitFor(
    async () => {
      const rows = await rechecks(database);
      expect(rows.length).toBe(count);
      return rows;
    },
    { timeout: 15_000, interval: 50 },
  );
}

const now = "2026-11-21T12:00:00.000000Z";

describe("a write that was let through unverified is settled as of when it was accepted:", () => {
  test.each<[string, number, unknown, Omit<Recheck, "decision_id">]>([
    ["its ticket is good", 200, issue(), { status: "VALID", why: null }],
    ["there is no such ticket", 404, noIssue, { status: "INVALID", why: "not_found" }],
    [
      "it had been closed before",
      200,
      issue({ category: "done", fields: { statuscategorychangedate: "2026-11-21T11:59:59.000+0000" } }),
      { status: "INVALID", why: "closed" },
    ],
    [
      "it was closed after it",
      200,
      issue({ category: "done", fields: { statuscategorychangedate: "2026-11-21T12:00:01.000+0000" } }),
      { status: "VALID", why: null },
    ],
    [
      "it is closed and nothing tells since when",
      200,
      issue({ category: "done" }),
      { status: "UNKNOWN", why: "closed_since_unknown" },
    ],
    [
      "it is for another parameter",
      200,
      issue({ fields: { labels: ["param:x.y"] } }),
      { status: "INVALID", why: "other_parameter" },
    ],
  ])("%s", async (_, status, body, outcome) => {
    await using server = await startTicketServer();
    const clock = stoppedClock(now);
    const { service, configStore } = await withTickets(server, {}, { limits: eager, clock });
    await using _running = service;
    server.answer(500, {});
    const { decisionId, ...answer } = await configStore.checkWrite(capped("PTRD-1042"));
    expect(answer).toMatchObject(unverified);
    clock.set("2026-11-22T12:00:00.000000Z");
    server.answer(status, body);
    expect(await settled(service.database, 1)).toEqual([{ decision_id: decisionId, ...outcome }]);
    const sample = `polytraders_gov_parameterchangeauditor_ticket_rechecks_total{status="${outcome.status}"}`;
    await vi.waitFor(async () => expect(await metricValue(service, sample)).toBe(1));
    const asked = server.requests.length;
    await configStore.checkWrite(capped("nonsense")); // Time passes.
    expect(await rechecks(service.database), "once and for all").toHaveLength(1);
    expect(server.requests.length).toBe(asked);
  });
});

test("a false ticket is warned of, and has its place in the log behind the write; no log record has token or ticket", async () => {
  await using server = await startTicketServer();
  await using folder = await mkdtempDisposable(join(tmpdir(), "governance-rechecks-"));
  const tokenFile = join(folder.path, "token");
  await writeFile(tokenFile, "gate@polytraders:s3cret");
  const records = logRecords();
  const more = { limits: eager, log: records.log };
  const { service, configStore, compliance } = await withTickets(server, { token_file: tokenFile }, more);
  await using _running = service;
  server.answer(401, noIssue);
  const { decisionId } = await configStore.checkWrite(capped("PTRD-4711"));
  server.answer(404, noIssue);
  await settled(service.database, 1);
  await vi.waitFor(() => expect(records.withReason()).not.toEqual([]));
  expect(records.withReason()).toEqual([
    {
      level: "warn",
      reasonCode: "AUDIT_TICKET_INVALID",
      decisionId,
      botSlug: "risk.liquidityguard",
      paramName: "max_position_pusd",
      page: true,
      why: "not_found",
    },
  ]);
  const basic = Buffer.from("gate@polytraders:s3cret").toString("base64");
  expect(records.text()).toContain('"status":401');
  for (const secret of ["s3cret", basic, "PTRD-4711"]) expect(records.text()).not.toContain(secret);

  await compliance.listParameterChanges({});
  const entries = await service.database.query<{ source: string }>(
    "superuser",
    "select source from log.entry where source in ('c', 't') order by position",
  );
  expect(entries).toEqual([{ source: "c" }, { source: "t" }]);
});

test("only what was let through is asked about again: not what was rejected, valid or never checked", async () => {
  await using server = await startTicketServer();
  const settings = { on_ticket_system_down: { P0: "reject" } };
  const { service, configStore } = await withTickets(server, settings, { limits: eager });
  await using _running = service;
  server.answer(200, issue({ key: "PTRD-1" }));
  await configStore.checkWrite(capped("PTRD-1"));
  server.answer(500, {});
  const rejected = await configStore.checkWrite(armed("PTRD-2"));
  expect(rejected).toMatchObject({ allowed: false, ticketStatus: TicketStatus.UNVERIFIED });
  await configStore.checkWrite(armed("PTRD-3", { newValueJson: "true" }));
  const { decisionId } = await configStore.checkWrite(capped("PTRD-4"));
  server.answer(200, issue());
  expect(await settled(service.database, 1)).toMatchObject([{ decision_id: decisionId }]);
});

test("what is pending survives a restart, and whichever replica settles it, it is settled once", async () => {
  await using server = await startTicketServer();
  await using folder = await mkdtempDisposable(join(tmpdir(), "governance-rechecks-"));
  await using database = await createTestDatabase();
  const replica = (limits: typeof eager) =>
    withTickets(
      server,
      {},
      {
        limits,
        database,
        env: { GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key") },
      },
    );
  server.answer(500, {});
  const decisions: string[] = [];
  {
    const { service, configStore } = await replica(never);
    await using _running = service;
    for (const n of [1, 2, 3]) decisions.push((await configStore.checkWrite(capped(`PTRD-${n}`))).decisionId);
  }
  expect(await rechecks(database)).toEqual([]);
  server.answer(404, noIssue);
  const [one, other] = await Promise.all([replica(eager), replica(eager)]);
  await using _one = one.service;
  await using _other = other.service;
  const rows = await settled(database, 3);
  expect(rows.map((row) => row.decision_id).toSorted()).toEqual(decisions.toSorted());
  const told = 'polytraders_gov_parameterchangeauditor_ticket_rechecks_total{status="INVALID"}';
  await vi.waitFor(async () => {
    const counts = await Promise.all([metricValue(one.service, told), metricValue(other.service, told)]);
    expect((counts[0] ?? 0) + (counts[1] ?? 0)).toBe(3);
  });
});

test("while the ticket system is still down nothing is settled, and everything once it is back", async () => {
  await using server = await startTicketServer();
  const { service, configStore } = await withTickets(server, {}, { limits: eager });
  await using _running = service;
  server.answer(500, {});
  for (const n of [1, 2, 3, 4, 5]) await configStore.checkWrite(capped(`PTRD-${n}`));
  await vi.waitFor(() => expect(server.requests.length).toBeGreaterThanOrEqual(5 + 6), 10_000);
  expect(await rechecks(service.database)).toEqual([]);
  server.answer(200, issue());
  expect((await settled(service.database, 5)).map(({ status }) => status)).toEqual(Array(5).fill("VALID"));
});

test("after seven days it is given up, and the record says so", async () => {
  await using server = await startTicketServer();
  const clock = stoppedClock(now);
  const { service, configStore } = await withTickets(server, {}, { limits: eager, clock });
  await using _running = service;
  server.answer(500, {});
  const { decisionId } = await configStore.checkWrite(capped("PTRD-1"));
  clock.set("2026-11-28T11:59:59.000000Z");
  const before = server.requests.length;
  await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(before), 10_000);
  expect(await rechecks(service.database)).toEqual([]);
  clock.set("2026-11-28T12:00:01.000000Z");
  expect(await settled(service.database, 1)).toEqual([
    { decision_id: decisionId, status: "UNKNOWN", why: "no_answer" },
  ]);
});
