import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  Durability,
  TicketStatus,
  Verdict,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs } from "../../support/callers.ts";
import { readExport } from "../../support/exportReader.ts";
import { metricValue } from "../../support/metrics.ts";
import type { TestService } from "../../support/service.ts";
import {
  issue,
  type json,
  noIssue,
  startTicketServer,
  type TicketServer,
} from "../../support/ticketServer.ts";
import { write } from "../auditor/writes.ts";
import { armed, capped, withTickets } from "./auditors.ts";

const running = new AsyncDisposableStack();
let server: TicketServer;
let service: TestService;
let configStore: AuditorClient;
let compliance: AuditorClient;
beforeAll(async () => {
  server = running.use(await startTicketServer());
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-jira-")));
  const tokenFile = join(folder.path, "token");
  await writeFile(tokenFile, "gate@polytraders:s3cret\n");
  const settings = { token_file: tokenFile, projects: ["PTRD", "RISK"] };
  ({ service, configStore, compliance } = await withTickets(server, settings));
  running.use(service);
});
afterAll(() => running.disposeAsync());

let count = 1000;
let key = "";
beforeEach(() => {
  key = `PTRD-${++count}`; // What one test's ticket was is remembered: each test has its own.
});

const valid = {
  allowed: true,
  verdict: Verdict.ALLOW,
  reasonCode: "PARAM_CHANGED",
  ticketStatus: TicketStatus.VALID,
};
const invalid = {
  allowed: false,
  verdict: Verdict.REJECT,
  reasonCode: "AUDIT_TICKET_INVALID",
  ticketStatus: TicketStatus.INVALID,
  durability: Durability.DURABLE,
  userMessage: "The change ticket does not cover this change; an open ticket for this parameter is needed.",
};
const unverified = { allowed: true, reasonCode: "PARAM_CHANGED", ticketStatus: TicketStatus.UNVERIFIED };

test("an open ticket lets a P1 change through, and Jira is asked once for what is needed, as the token's user", async () => {
  server.answer(200, issue({ key }));
  const before = server.requests.length;
  expect(await configStore.checkWrite(capped(key))).toMatchObject({ ...valid, paramTier: "P1" });
  const asked = server.requests.slice(before);
  expect(asked).toHaveLength(1);
  const url = new URL(asked[0]?.url ?? "", server.url);
  expect([asked[0]?.method, url.pathname]).toEqual(["GET", `/rest/api/3/issue/${key}`]);
  expect(url.searchParams.get("fields")?.split(",").toSorted()).toEqual([
    "created",
    "duedate",
    "labels",
    "resolutiondate",
    "status",
    "statuscategorychangedate",
  ]);
  const basic = Buffer.from("gate@polytraders:s3cret").toString("base64");
  expect(asked[0]?.headers).toMatchObject({ accept: "application/json", authorization: `Basic ${basic}` });
});

test("what is known of the ticket is on the record, in lists and in exports", async () => {
  server.answer(404, noIssue);
  const { decisionId } = await configStore.checkWrite(capped(key, { traceId: key }));
  const { changes } = await compliance.listParameterChanges({ ticketRef: key });
  expect(changes).toMatchObject([
    {
      allowed: false,
      reasonCode: "AUDIT_TICKET_INVALID",
      ticketStatus: TicketStatus.INVALID,
      report: { decisionId },
    },
  ]);
  const { lines } = await readExport(compliance.exportParameterChanges({ ticketRef: key }));
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { event_type: "AUDIT_TICKET_INVALID", ticket_status: "INVALID", verdict: "REJECT" },
  ]);
  const rejections = 'polytraders_gov_parameterchangeauditor_rejections_total{reason="AUDIT_TICKET_INVALID"}';
  expect(await metricValue(service, rejections)).toBeGreaterThanOrEqual(1);
});

describe("a ticket is invalid when", () => {
  test.each<[string, () => void]>([
    ["it does not exist", () => server.answer(404, noIssue)],
    ["it was closed", () => closed({ statuscategorychangedate: "2024-03-09T17:30:00.000+0000" })],
    [
      "it was closed, which only its resolution tells",
      () => closed({ resolutiondate: "2024-03-09T17:30:00.000+0100" }),
    ],
    ["it is closed and nothing tells since when", () => closed({})],
    ["it was due yesterday", () => server.answer(200, issue({ key, fields: { duedate: dayFromNow(-1) } }))],
    [
      "it is for another parameter",
      () => server.answer(200, issue({ key, fields: { labels: ["param:risk.liquidityguard.min_*"] } })),
    ],
    ["it was moved to a project that does not count", () => server.answer(200, issue({ key: "HR-12" }))],
    [
      "it was created after the change",
      () => server.answer(200, issue({ key, fields: { created: `${dayFromNow(1)}T00:00:00.000+0000` } })),
    ],
  ])("%s", async (_, behave) => {
    behave();
    expect(await configStore.checkWrite(capped(key))).toMatchObject({ ...invalid, paramTier: "P1" });
  });

  function closed(fields: Record<string, unknown>): void {
    server.answer(200, issue({ key, category: "done", fields }));
  }
});

describe("a ticket is valid when", () => {
  test.each<[string, Record<string, unknown>]>([
    [
      "a label names the parameter, however it is spelt",
      { labels: ["other", "PARAM:Risk.liquidity_guard.Max-Position-PUSD"] },
    ],
    [
      "one of several labels is a pattern for it",
      { labels: ["param:x.y", "param:risk.*.max_position_pusd"] },
    ],
    ["its labels name no parameter", { labels: ["parameters", "urgent"] }],
    ["it is due today", { duedate: dayFromNow(0) }],
    [
      "the day of its closing is still to come",
      {
        status: { statusCategory: { key: "done" } },
        statuscategorychangedate: `${dayFromNow(1)}T00:00:00.000+0000`,
      },
    ],
    ["it is not begun yet", { status: { statusCategory: { key: "new" } } }],
  ])("%s", async (_, fields) => {
    server.answer(200, issue({ key, fields }));
    expect(await configStore.checkWrite(capped(key))).toMatchObject(valid);
  });

  test("it was moved to another project that counts", async () => {
    server.answer(200, issue({ key: "RISK-7" }));
    expect(await configStore.checkWrite(capped(key))).toMatchObject(valid);
  });
});

test.each([
  "nonsense",
  "PTRD",
  "PTRD-",
  "PTRD-0",
  "PTRD-1/../../../admin",
  "PTRD-1?fields=*all",
  "../PTRD-1",
  "PTRD-1%2f",
  "PTRD-1\r\nx: y",
  "HR-12",
  `PTRD-${"9".repeat(200)}`,
  "ПТРД-1",
])("a reference that cannot be a ticket is invalid and nobody is asked: %j", async (ticketRef) => {
  server.answer(200, issue());
  const before = server.requests.length;
  expect(await configStore.checkWrite(capped(ticketRef))).toMatchObject(invalid);
  expect(server.requests.length).toBe(before);
});

test("a key in lower case and with blanks around it is the same ticket", async () => {
  server.answer(200, issue({ key }));
  await configStore.checkWrite(capped(key));
  const before = server.requests.length;
  expect(await configStore.checkWrite(capped(` ${key.toLowerCase()} `))).toMatchObject(valid);
  expect(server.requests.length).toBe(before);
});

describe("an answer is no proof against a ticket when", () => {
  test.each<[string, Parameters<typeof json>]>([
    [
      "the token has expired, with which Jira finds nothing",
      [404, noIssue, { "x-seraph-loginreason": "AUTHENTICATED_FAILED" }],
    ],
    ["a 404 is not Jira's own", [404, { message: "no such page" }]],
    ["the token is refused", [401, noIssue]],
    ["an issue has no status", [200, { key: "PTRD-1", fields: {} }]],
    ["labels are not labels", [200, issue({ fields: { labels: { a: 1 } } })]],
    ["an expiry is not a date", [200, issue({ fields: { duedate: "soon" } })]],
  ])("%s", async (_, answer) => {
    server.answer(...answer);
    expect(await configStore.checkWrite(capped(key))).toMatchObject(unverified);
    server.answer(200, issue({ key: `PTRD-${++count}` })); // So that failures do not add up to a pause.
    expect(await configStore.checkWrite(capped(`PTRD-${count}`))).toMatchObject(valid);
  });
});

test("a tier that needs no ticket does not ask, and uses what is known", async () => {
  server.answer(200, issue({ key }));
  const before = server.requests.length;
  const edge = write("edge", { ticketRef: key });
  expect(await configStore.checkWrite(edge)).toMatchObject({ ...valid, ticketStatus: TicketStatus.PRESENT });
  expect(server.requests.length).toBe(before);
  await configStore.checkWrite(capped(key));
  expect(await configStore.checkWrite(edge)).toMatchObject(valid);
  const nonsense = await configStore.checkWrite(write("edge", { ticketRef: "nonsense" }));
  expect(nonsense, "recorded, not rejected").toMatchObject({ ...valid, ticketStatus: TicketStatus.INVALID });
  expect(server.requests.length).toBe(before + 1);
});

test("a write towards stopping is not asked about and not rejected, whatever its ticket is", async () => {
  server.answer(404, noIssue);
  const before = server.requests.length;
  const stop = (ticketRef: string) => configStore.checkWrite(armed(ticketRef, { newValueJson: "true" }));
  expect(await stop(key)).toMatchObject({ ...valid, ticketStatus: TicketStatus.PRESENT });
  expect(await stop("nonsense")).toMatchObject({ ...valid, ticketStatus: TicketStatus.INVALID });
  expect(server.requests.length).toBe(before);
  expect(await configStore.checkWrite(armed(key)), "undoing it").toMatchObject({
    ...invalid,
    paramTier: "P0",
  });
});

test("a dry run asks too, and records nothing", async () => {
  server.answer(404, noIssue);
  const dry = await configStore.checkWrite(capped(key, { dryRun: true }));
  expect(dry).toMatchObject({ ...invalid, durability: Durability.NOT_RECORDED });
  expect((await compliance.listParameterChanges({ ticketRef: key })).changes).toEqual([]);
});

test("in shadow_only an invalid ticket says the same and lets the write through", async () => {
  await using shadow = (await withTickets(server, {}, { mode: "shadow_only" })).service;
  const shadowed = await auditorAs(shadow, "config-store");
  server.answer(404, noIssue);
  expect(await shadowed.checkWrite(capped(key))).toMatchObject({ ...invalid, allowed: true });
});

/** A date in UTC, so many days from today. */
function dayFromNow(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}
