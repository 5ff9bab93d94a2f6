import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Durability } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { auditorAs, ledgerAs } from "../../support/callers.ts";
import { createTestDatabase } from "../../support/database.ts";
import { startDatabaseProxy } from "../../support/proxy.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { startTicketServer } from "../../support/ticketServer.ts";
import { write } from "../auditor/writes.ts";
import { openStream } from "../ledger/actionStream.ts";
import { drained } from "../spool/spooling.ts";
import { armed, capped, withTickets } from "../tickets/auditors.ts";
import { type Collector, type ReceivedSpan, startCollector } from "./collector.ts";

const callersSpan = "00f067aa0ba902b7";
const sampled = (traceId: string) => ({
  headers: { traceparent: `00-${traceId}-${callersSpan}-01`, tracestate: "fleet=blue" },
});
const traces = {
  checkWrite: "11111111111111111111111111111111",
  action: "22222222222222222222222222222222",
  refused: "33333333333333333333333333333333",
  spooled: "44444444444444444444444444444444",
  stream: "55555555555555555555555555555555",
  namedBot: "99999999999999999999999999999999",
  notSampled: "66666666666666666666666666666666",
};
const service = "polytraders.governance.v1.ParameterChangeAuditorService";
const personal = {
  wallet: "0xfeedfacefeedfacefeedfacefeedfacefeedface",
  sessionId: "sess_of_one_person",
  eventId: "evt_of_one_person",
  editorId: "someone@polytraders",
  ticketRef: "PTRD-987654",
  newValueJson: '"a value that is nobody\'s business"',
};
/** More than are worked on at a time. */
const crowdSize = 80;
const limits = { tracesEveryMs: 50 };

let running: AsyncDisposableStack;
let collector: Collector;
let traced: TestService;
const lines: string[] = [];

/** The calls of all tests, first: what they left behind arrives together. */
beforeAll(async () => {
  running = new AsyncDisposableStack();
  collector = running.use(await startCollector());
  const tickets = running.use(await startTicketServer());
  const database = running.use(await createTestDatabase());
  const proxy = running.use(await startDatabaseProxy());
  const { service, configStore } = await withTickets(
    tickets,
    {},
    {
      database,
      env: {
        DATABASE_URL: proxy.through(database.url("service")),
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      },
      limits,
      log: pino({ level: "debug" }, { write: (line: string) => void lines.push(line) }),
    },
  );
  traced = running.use(service);
  const json = await ledgerAs(traced, "bot", { protocol: "json" });
  const bot = await ledgerAs(traced, "bot");
  const { wallet, sessionId, eventId, editorId, ticketRef, newValueJson } = personal;
  const action = (id: string) => ({ eventId: id, wallet, sessionId, actionType: "HALT" });
  const change = capped(ticketRef, { editorId, newValueJson });

  await configStore.checkWrite(change, sampled(traces.checkWrite));
  await configStore.checkWrite(armed(ticketRef, { editorId }), sampled(traces.namedBot));
  await json.recordUserAction(action(eventId), sampled(traces.action));
  await expect(bot.recordUserAction(action(""), sampled(traces.refused))).rejects.toThrow("event_id");
  const headers = { traceparent: `00-${traces.notSampled}-${callersSpan}-00` };
  await bot.recordUserAction(action("evt_not_traced"), { headers });
  const crowd = Array.from({ length: crowdSize }, (_, i) => write(`param_${i}`, { editorId }));
  await Promise.allSettled(crowd.map((one) => configStore.checkWrite(one)));

  const stream = await openStream(
    {
      ...bot,
      streamUserActions: (requests, options) =>
        bot.streamUserActions(requests, { ...options, ...sampled(traces.stream) }),
    },
    "a stream",
  );
  stream.send(1, [action("evt_streamed_1")]);
  stream.send(2, [action("evt_streamed_2")]);
  await stream.ack();
  await stream.ack();
  await stream.end();

  proxy.cut();
  const spooled = await bot.recordUserAction(action(`${eventId}_spooled`), sampled(traces.spooled));
  expect(spooled.outcome).toBe(RecordOutcome.BUFFERED);
  proxy.mend();
  await drained(traced);
  const { notSampled: _, ...asked } = traces;
  const hasCall = (traceId: string) => of(traceId).some(({ parentId }) => parentId === callersSpan);
  await until(
    () => named("drain ledger").some(({ isError }) => !isError) && Object.values(asked).every(hasCall),
  );
});
afterAll(() => running.disposeAsync());

async function until(isSo: () => boolean): Promise<void> {
  for (const startedMs = performance.now(); !isSo(); await sleep(20)) {
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  }
}

const of = (traceId: string) => collector.spans.filter((span) => span.traceId === traceId);
const named = (name: string) => collector.spans.filter((span) => span.name === name);

/** The one span of the trace with the name, and what it is below of. */
function only(traceId: string, name: string): ReceivedSpan {
  const [span, ...more] = of(traceId).filter((one) => one.name === name);
  if (span === undefined || more.length > 0) throw new Error(`${1 + more.length} spans ${name}`);
  return span;
}

test("a CheckWrite over gRPC goes on in its caller's trace, to the ticket system and Postgres", () => {
  const call = only(traces.checkWrite, `${service}/CheckWrite`);
  const decide = only(traces.checkWrite, "decide");
  const ticket = only(traces.checkWrite, "look up ticket");
  const append = only(traces.checkWrite, "append auditor");
  const commit = only(traces.checkWrite, "commit auditor");
  expect(call).toMatchObject({ parentId: callersSpan, kind: 2, traceState: "fleet=blue", isError: false });
  expect(call.attributes).toEqual({
    "rpc.system": "grpc",
    "rpc.service": service,
    "rpc.method": "CheckWrite",
    "rpc.grpc.status_code": 0,
  });
  expect(decide.parentId).toBe(call.spanId);
  expect(decide.attributes).toMatchObject({
    "governance.verdict": "ALLOW",
    "governance.mode": "enforce",
    "governance.decided": "recorded",
    "governance.reason_code": "PARAM_CHANGED",
  });
  expect(ticket).toMatchObject({ parentId: decide.spanId, kind: 3 });
  expect(append.parentId).toBe(decide.spanId);
  expect(commit).toMatchObject({ parentId: append.spanId, kind: 3, links: [append.spanId] });
  expect(commit.attributes).toMatchObject({ "governance.rows": 1, "db.system.name": "postgresql" });
});

test("of the bots those alone are named that the config file names", () => {
  expect(only(traces.namedBot, "decide").attributes["governance.bot_slug"]).toBe("risk.killswitch");
  expect(only(traces.checkWrite, "decide").attributes["governance.bot_slug"]).toBe("OTHER");
});

test("a RecordUserAction as JSON does too", () => {
  const call = only(traces.action, "polytraders.governance.v1.UserActivityLedgerService/RecordUserAction");
  expect(call).toMatchObject({ parentId: callersSpan, attributes: { "rpc.system": "connect_rpc" } });
  const append = only(traces.action, "append ledger");
  expect(append.parentId).toBe(call.spanId);
  expect(only(traces.action, "commit ledger").links).toEqual([append.spanId]);
});

test("calls that share a commit are linked to it, each in its own trace", () => {
  // On a busy machine some may go to the spool.
  const batches = [...named("commit auditor"), ...named("spool auditor")];
  const appends = named("append auditor");
  expect(batches.some(({ links }) => links.length > 1)).toBe(true);
  expect(appends.length).toBeGreaterThan(crowdSize / 2);
  for (const append of appends) {
    const its = batches.filter(({ links }) => links.includes(append.spanId));
    expect(its.length).toBeGreaterThan(0);
    for (const { spanId, parentId } of its) {
      expect(parentId === append.spanId || append.links.includes(spanId)).toBe(true);
    }
  }
});

test("calls that wait for their turn stay in their own traces", () => {
  const decides = named("decide");
  const answered = named(`${service}/CheckWrite`).filter(({ isError }) => !isError);
  expect(answered.length).toBeGreaterThan(50);
  for (const { spanId } of answered) {
    expect(decides.filter(({ parentId }) => parentId === spanId)).toHaveLength(1);
  }
});

test("a stream is one span, its batches below it", () => {
  const [call, ...others] = of(traces.stream).filter(({ parentId }) => parentId === callersSpan);
  expect(others).toEqual([]);
  expect(call?.attributes).toMatchObject({ "rpc.method": "StreamUserActions", "rpc.grpc.status_code": 0 });
  const appends = of(traces.stream).filter(({ name }) => name === "append ledger");
  expect(appends.map(({ parentId }) => parentId)).toEqual([call?.spanId, call?.spanId]);
});

test("with Postgres away the spool is in the trace, and the drain has one of its own", () => {
  const append = only(traces.spooled, "append ledger");
  expect(only(traces.spooled, "commit ledger")).toMatchObject({ isError: true, parentId: append.spanId });
  const spool = only(traces.spooled, "spool ledger");
  expect(spool).toMatchObject({ isError: false, parentId: append.spanId, links: [append.spanId] });
  expect(named("drain ledger").map(({ parentId }) => parentId)).toContain("");
});

describe("a refused call", () => {
  test("tells its reason and nothing of what was sent", () => {
    const [call, ...more] = of(traces.refused);
    expect(more).toEqual([]);
    expect(call?.attributes).toMatchObject({ "rpc.grpc.status_code": 3, "error.type": "INVALID_FIELD" });
    expect(call?.isError).toBe(false);
  });

  test("is found in the log by its trace", () => {
    const refusal = lines.map((line) => JSON.parse(line)).find(({ msg }) => msg === "call refused");
    expect(refusal).toMatchObject({ reason: "INVALID_FIELD", otel_trace_id: traces.refused });
  });
});

test("a call that its caller does not trace is not traced", () => {
  expect(of(traces.notSampled)).toEqual([]);
});

test("nothing personal leaves, and no token", async () => {
  const token = await traced.token({ roles: ["bot"] });
  const sent = collector.sent();
  const secrets = [...Object.values(personal), "tester", token.slice(0, 20), "nobody's business"];
  expect(sent).toContain("RecordUserAction");
  expect(secrets.filter((secret) => sent.toLowerCase().includes(secret.toLowerCase()))).toEqual([]);
});

test("a collector that takes nothing is said once, and once that it takes traces again", async () => {
  const bot = await auditorAs(traced, "config-store");
  const said = () => lines.filter((line) => line.includes("the collector takes"));
  collector.answer(400);
  for (let refused = 1; refused <= 2; refused++) {
    await bot.checkWrite(capped(""));
    await until(() => collector.refused() >= refused);
  }
  collector.answer(200);
  await bot.checkWrite(capped(""), sampled("77777777777777777777777777777777"));
  await until(() => of("77777777777777777777777777777777").length > 0 && said().length > 1);
  expect(said().map((line) => JSON.parse(line).msg)).toEqual([
    "the collector takes no traces; they are lost, and calls go on",
    "the collector takes traces again",
  ]);
});

test("an unreachable collector holds up neither calls nor the stop", async () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" };
  await using nowhere = await startTestService({ env, limits });
  const configStore = await auditorAs(nowhere, "config-store");
  expect((await configStore.checkWrite(capped(""))).durability).toBe(Durability.DURABLE);
  const startedMs = performance.now();
  await nowhere[Symbol.asyncDispose]();
  // The exporter itself would go on for ten seconds.
  expect(performance.now() - startedMs).toBeLessThan(8_000);
});

test("what was not sent yet is sent when the service stops", async () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const { database } = traced;
  await using stopping = await startTestService({
    database,
    env: { ...env, GOVERNANCE_SCRUB_KEY_FILE: join(traced.dataDir, "scrub.key") },
    limits: { tracesEveryMs: 3_600_000 },
  });
  const last = "88888888888888888888888888888888";
  await (await auditorAs(stopping, "config-store")).checkWrite(capped(""), sampled(last));
  expect(of(last)).toEqual([]);
  await stopping[Symbol.asyncDispose]();
  expect(of(last).map(({ name }) => name)).toContain(`${service}/CheckWrite`);
});
