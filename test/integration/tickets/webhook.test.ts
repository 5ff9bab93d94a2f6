import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TicketStatus } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import type { AuditorClient } from "../../support/callers.ts";
import { stoppedClock } from "../../support/clock.ts";
import { startTicketServer, type TicketServer } from "../../support/ticketServer.ts";
import { capped, withTickets } from "./auditors.ts";

const running = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), "governance-webhook-"));
let server: TicketServer;
let configStore: AuditorClient;
beforeAll(async () => {
  server = running.use(await startTicketServer());
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "s3cret");
  const clock = stoppedClock("2026-11-21T12:00:00.123456Z");
  const settings = { system: "webhook", url: `${server.url}/tickets/check`, token_file: tokenFile };
  const started = await withTickets(server, settings, { clock });
  running.use(started.service);
  configStore = started.configStore;
});
afterAll(async () => {
  await running.disposeAsync();
  rmSync(folder, { recursive: true });
});

let count = 0;
let ticketRef = "";
beforeEach(() => {
  ticketRef = `change request/${++count} „äß“`; // Any text may be a ticket here.
});

const valid = { allowed: true, reasonCode: "PARAM_CHANGED", ticketStatus: TicketStatus.VALID };
const invalid = { allowed: false, reasonCode: "AUDIT_TICKET_INVALID", ticketStatus: TicketStatus.INVALID };
const unverified = { allowed: true, ticketStatus: TicketStatus.UNVERIFIED };

test("it is asked with the ticket, the parameter and the time, as the token's user", async () => {
  server.answer(200, { valid: true });
  expect(await configStore.checkWrite(capped(ticketRef))).toMatchObject(valid);
  const asked = server.requests.at(-1);
  expect([asked?.method, asked?.url]).toEqual(["POST", "/tickets/check"]);
  expect(asked?.headers).toMatchObject({
    "content-type": "application/json",
    authorization: "Bearer s3cret",
  });
  expect(JSON.parse(asked?.body ?? "")).toEqual({
    ticket_ref: ticketRef,
    bot_slug: "risk.liquidityguard",
    param_name: "max_position_pusd",
    accepted_at: "2026-11-21T12:00:00.123456Z",
  });
});

test("what is wrong with the ticket is told with the verdict, and not again when that is replayed", async () => {
  server.answer(200, { valid: false, reason: "expired" });
  const writeId = ticketRef;
  const first = await configStore.checkWrite(capped(ticketRef, { writeId }));
  expect(first).toMatchObject({ ...invalid, ticketProblem: "expired" });
  const again = await configStore.checkWrite(capped(ticketRef, { writeId }));
  expect(again).toMatchObject({ ...invalid, replayed: true, ticketProblem: "" });
  server.answer(200, { valid: true });
  const good = await configStore.checkWrite(capped(`${ticketRef} good`));
  expect(good).toMatchObject({ ...valid, ticketProblem: "" });
});

describe("its answer", () => {
  test.each<[unknown, object]>([
    [{ valid: true, reason: null, closed_at: null, scope: [] }, valid],
    [{ valid: true, scope: ["risk.*"] }, valid],
    [{ valid: true, scope: ["strategy.*"] }, invalid],
    [{ valid: true, closed_at: "2026-11-21T12:00:01Z" }, valid],
    [{ valid: true, closed_at: "2026-11-21T11:00:00Z" }, invalid],
    [{ valid: true, expires_at: "2026-11-21T12:00:00Z" }, invalid],
    [{ valid: true, expires_at: "2026-11-21T13:00:00+01:00" }, invalid],
    [{ valid: true, expires_at: "2026-11-21T13:00:00Z" }, valid],
    [{ valid: false }, invalid],
    [{ valid: false, reason: "closed" }, invalid],
    [{ valid: false, reason: "a reason of its own" }, invalid],
    [{ valid: "yes" }, unverified],
    [{ valid: true, closed_at: "yesterday" }, unverified],
    [{}, unverified],
    ["ok", unverified],
  ])("%j", async (answer, expected) => {
    server.answer(200, answer);
    expect(await configStore.checkWrite(capped(ticketRef))).toMatchObject(expected);
    server.answer(200, { valid: true }); // So that failures do not add up to a pause.
    await configStore.checkWrite(capped(`${ticketRef} again`));
  });

  test("404 is no proof against a ticket", async () => {
    server.answer(404, { valid: false });
    expect(await configStore.checkWrite(capped(ticketRef))).toMatchObject(unverified);
  });
});

test("its answer is remembered for the parameter it was asked about, and for no other", async () => {
  server.answer(200, { valid: true });
  await configStore.checkWrite(capped(ticketRef));
  const before = server.requests.length;
  expect(await configStore.checkWrite(capped(ticketRef, { botSlug: "Risk.Liquidity-Guard" }))).toMatchObject(
    valid,
  );
  expect(server.requests.length).toBe(before);
  server.answer(200, { valid: false });
  expect(await configStore.checkWrite(capped(ticketRef, { botSlug: "risk.other" }))).toMatchObject(invalid);
  expect(server.requests.length).toBe(before + 1);
});
