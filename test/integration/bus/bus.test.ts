import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromJsonString, toBinary } from "@bufbuild/protobuf";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type SettlementReport,
  SettlementReportSchema,
} from "../../../gen/ts/polytraders/governance/v1/report_pb.ts";
import {
  ExecutionReportSchema,
  UserActionSchema,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { readReportsPlace } from "../../../src/bus/positions.ts";
import { loadRecordKey, recordKeyId } from "../../../src/keys/recordKey.ts";
import { createIdentities } from "../../../src/ledger/identity.ts";
import { auditorAs, type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { metricValue } from "../../support/metrics.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { until } from "../alerts/receiving.ts";
import { write } from "../auditor/writes.ts";
import { action, otherWallet, wallet } from "../ledger/actions.ts";
import { fill } from "../ledger/fillReports.ts";
import { type Client, hasNats, healthOf, natsClient, type Stored, startNats } from "./natsServer.ts";

const actions = "internal.event_stream";
const fills = "internal.report_bus";
const json = { headers: { "Content-Type": "application/json" } };
const protobuf = { headers: { "content-type": "application/protobuf" } };

const running = new AsyncDisposableStack();
let service: TestService;
let client: Client;
let compliance: LedgerClient;
beforeAll(async () => {
  if (!hasNats) return;
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-bus-")));
  const nats = running.use(await startNats(folder.path));
  service = running.use(
    await startTestService({ limits: { busEveryMs: 100 }, env: { GOVERNANCE_NATS_SERVERS: nats.url } }),
  );
  client = running.use(await natsClient(nats));
  compliance = await ledgerAs(service, "compliance");
  await until("the streams are made", async () => {
    const names = await Promise.all(
      ["internal_event_stream", "internal_report_bus", "polytraders_reports"].map((name) =>
        client.jsm.streams.info(name).catch(() => undefined),
      ),
    );
    return names.every((info) => info !== undefined);
  });
});
afterAll(() => running.disposeAsync());

/** The recorded action's report, once it is there. */
async function recorded(eventId: string) {
  let report: SettlementReport | undefined;
  await until(`${eventId} is on record`, async () => {
    const { actions: page } = await compliance.listUserActions({ pageSize: 1000 });
    report = page.find((entry) => entry.report?.eventId === eventId)?.report;
    return report !== undefined;
  });
  return report;
}

/** What is in the stream, once there is enough of it. */
async function inStream(stream: string, isEnough: (messages: readonly Stored[]) => boolean) {
  let messages: Stored[] = [];
  await until(`${stream} has it`, async () => {
    messages = await client.all(stream).catch(() => []);
    return isEnough(messages);
  });
  return messages;
}

const protobufOf = (eventId: string) =>
  toBinary(UserActionSchema, create(UserActionSchema, action(eventId, { paramsJson: '{"n":1.10}' })));
const jsonOf = (eventId: string, more = "") =>
  `{"event_id":"${eventId}","wallet":"${wallet}","session_id":"s","action_type":"HALT"${more}}`;

describe.runIf(hasNats)("over a real nats-server (where it is installed)", () => {
  test("an action is recorded from JSON as §11 prints it and from protobuf, with the content type and without", async () => {
    const printed = `{"event_id":"evt_01HX9Z","wallet":"${wallet}","session_id":"sess_01HX9Z","action_type":"STRATEGY_START","params":{"strategy":"sports-model"},"trace_id":"trc_01HX9Z"}`;
    await client.publish(actions, printed, json);
    await client.publish(actions, printed.replace("evt_01HX9Z", "evt_bare"));
    await client.publish(actions, protobufOf("evt_protobuf"), protobuf);
    await client.publish(actions, protobufOf("evt_bare_protobuf"));
    expect(await recorded("evt_01HX9Z")).toMatchObject({
      walletAddress: wallet,
      actionParamsJson: '{"strategy":"sports-model"}',
      traceId: "trc_01HX9Z",
      recordedBy: "event-stream",
    });
    expect(await recorded("evt_bare")).toMatchObject({ sessionId: "sess_01HX9Z" });
    expect(await recorded("evt_protobuf")).toMatchObject({ actionParamsJson: '{"n":1.10}' });
    expect(await recorded("evt_bare_protobuf")).toMatchObject({ actionType: "STRATEGY_START" });
  });

  test("a fill is recorded from JSON and from protobuf, and linked to its action by its trace", async () => {
    await client.publish(actions, jsonOf("evt_traced", ',"trace_id":"trc_fill"'));
    const report = fill("trade_json", "order_1", { traceId: "trc_fill" });
    const bytes = toBinary(ExecutionReportSchema, create(ExecutionReportSchema, report));
    await client.publish(fills, bytes, protobuf);
    await client.publish(fills, '{"fill_id":"fill_json","trace_id":"trc_fill","status":"MINED"}', json);
    await until("both are linked", async () => (await recorded("evt_traced"))?.fillIds.length === 2);
    const { fills: listed } = await compliance.listFills({ fillId: "fill_json" });
    expect(listed[0]?.report).toMatchObject({ status: "MINED" });
  });

  test("a message that comes again is recorded once; other content under its id is a conflict on record", async () => {
    await client.publish(actions, jsonOf("evt_twice"));
    await client.publish(actions, jsonOf("evt_twice"));
    await client.publish(actions, jsonOf("evt_twice").replace("HALT", "OVERRIDE"));
    await client.publish(actions, jsonOf("evt_behind"));
    await recorded("evt_behind");
    const count = (outcome: string) =>
      metricValue(service, `polytraders_gov_bus_consumed_total{source="actions",outcome="${outcome}"}`);
    expect([await count("duplicate"), await count("conflict")]).toEqual([1, 1]);
    const { conflicts } = await compliance.listEventConflicts({});
    expect(conflicts.map(({ eventId }) => eventId)).toEqual(["evt_twice"]);
  });

  test("what is no action or fill, or breaks a bound, is a dead letter with its reason, and its neighbours go on", async () => {
    const bad: readonly [string, string | Uint8Array, Record<string, string>, string][] = [
      [actions, "{not json", {}, "event_id"],
      [actions, jsonOf("evt_x", ',"walet":1'), { authorization: "Bearer secret" }, "walet"],
      [actions, jsonOf("evt_y").replace(wallet, "0x12"), {}, "wallet"],
      [actions, Uint8Array.of(10, 200, 1), { "content-type": "application/protobuf" }, ""],
      [actions, jsonOf("evt_z"), { "content-type": "text/csv" }, "content-type"],
      [fills, '{"fill_id":"f","status":"SOLD"}', {}, "status"],
    ];
    for (const [subject, body, headers] of bad) await client.publish(subject, body, { headers });
    await client.publish(actions, jsonOf("evt_neighbour"));
    await recorded("evt_neighbour");
    const letters = await inStream("governance_dead_letters", ({ length }) => length === bad.length);
    const [notJson, misspelt, wallets, cut, csv, sold] = [...letters].sort((a, b) => placeOf(a) - placeOf(b));
    expect(notJson?.headers["governance-reason"]).toBe("INVALID_FIELD");
    expect(misspelt?.headers).toMatchObject({
      "governance-field": "walet",
      "governance-message": "INVALID_FIELD: walet is not a field of UserAction",
      "governance-subject": actions,
      "governance-stream": "internal_event_stream",
    });
    expect(misspelt?.text).toBe(bad[1]?.[1]);
    expect(JSON.stringify(letters)).not.toContain("secret");
    expect(wallets?.headers["governance-field"]).toBe("wallet");
    expect(cut?.headers["content-type"]).toBe("application/protobuf");
    expect(csv?.headers["governance-field"]).toBe("content-type");
    expect(sold?.headers).toMatchObject({ "governance-field": "status", "governance-subject": fills });
    const counted = (source: string) =>
      metricValue(service, `polytraders_gov_bus_dead_letters_total{source="${source}"}`);
    expect([await counted("actions"), await counted("fills")]).toEqual([5, 1]);
  });

  test("what Postgres refuses for what it is becomes a dead letter alone, however many come with it", async () => {
    await service.database.query(
      "superuser",
      "alter table ledger.user_action add constraint poison check (event_id !~ '^poison')",
    );
    const ids = Array.from({ length: 40 }, (_, i) => (i % 15 === 7 ? `poison_${i}` : `beside_${i}`));
    await Promise.all(ids.map((id) => client.publish(actions, jsonOf(id))));
    const isPoison = ({ text }: Stored) => text.includes("poison");
    const letters = await inStream("governance_dead_letters", (all) => all.filter(isPoison).length === 3);
    expect(letters.filter(isPoison).map(({ headers }) => headers["governance-reason"])).toEqual(
      Array(3).fill("INTERNAL"),
    );
    await recorded("beside_39");
    const beside = await service.database.query(
      "superuser",
      "select from ledger.user_action where event_id ~ '^beside'",
    );
    expect(beside).toHaveLength(37);
    await service.database.query("superuser", "alter table ledger.user_action drop constraint poison");
  });

  test("what names a closed account's wallet is recorded with what stands for it (R11), its neighbours as they are", async () => {
    const key = loadRecordKey(undefined, service.dataDir);
    const identity = createIdentities(key, recordKeyId(key)).of(otherWallet);
    await service.database.query("superuser", "insert into ledger.closed_wallet values ($1, now())", [
      identity,
    ]);
    await Promise.all([
      client.publish(actions, jsonOf("evt_closed").replace(wallet, otherWallet)),
      client.publish(actions, jsonOf("evt_open")),
      client.publish(fills, `{"fill_id":"fill_closed","wallet":"${otherWallet}"}`),
    ]);
    expect((await recorded("evt_closed"))?.walletAddress).toBe(identity);
    expect((await recorded("evt_open"))?.walletAddress).toBe(wallet);
    await until("the fill is on record", async () => {
      const listed = await compliance.listFills({ fillId: "fill_closed" });
      return listed.fills[0]?.report?.wallet === identity;
    });
  });

  test("every report is published to its topic once, as §13, with an id by which repeats fold", async () => {
    const store = await auditorAs(service, "config-store");
    await store.checkWrite(write("published"));
    await client.publish(actions, jsonOf("evt_published"));
    const reports = await inStream("polytraders_reports", (all) =>
      ["evt_published", "PARAM_CHANGED"].every((text) => all.some((one) => one.text.includes(text))),
    );
    const report = reports.find(({ text }) => text.includes("evt_published"));
    expect(report).toMatchObject({
      subject: "polytraders.reports.settlement",
      headers: { "content-type": "application/json" },
    });
    expect(JSON.parse(report?.text ?? "")).toMatchObject({
      event_type: "USER_ACTION_RECORDED",
      report_kind: "SettlementReport",
      topic: "polytraders.reports.settlement",
      wallet_address: wallet,
    });
    expect(reports.find(({ text }) => text.includes("PARAM_CHANGED"))?.subject).toBe(
      "polytraders.reports.operations",
    );
    const ids = reports.map(({ headers }) => headers["nats-msg-id"]);
    expect(report?.headers["nats-msg-id"]).toBe(
      fromJsonString(SettlementReportSchema, report?.text ?? "").reportId,
    );
    expect(new Set(ids).size).toBe(ids.length);

    // As if the replica had been killed between the bus's answer and its own note of it.
    await service.database.query("superuser", "update log.bus_reports set position = 0");
    await client.publish(actions, jsonOf("evt_after"));
    const after = await inStream("polytraders_reports", (all) =>
      all.some(({ text }) => text.includes("evt_after")),
    );
    expect(after.map(({ headers }) => headers["nats-msg-id"]).slice(0, ids.length)).toEqual(ids);
    expect(after.filter(({ text }) => text.includes("evt_published"))).toHaveLength(1);
  });

  test("a report that is too large for the bus is published without its values, and says so", async () => {
    const store = await auditorAs(service, "config-store");
    const [oldValue, newValue] = ["o".repeat(262_000), "n".repeat(262_000)];
    await store.checkWrite(
      write("large_one", { oldValueJson: `"${oldValue}"`, newValueJson: `"${newValue}"` }),
    );
    const reports = await inStream("polytraders_reports", (all) =>
      all.some(({ text }) => text.includes("large_one")),
    );
    const report = reports.find(({ text }) => text.includes("large_one"));
    expect(report?.headers["governance-cut"]).toBe("true");
    expect(JSON.parse(report?.text ?? "")).not.toHaveProperty("new_value_json");
  });

  test("publishing to a new stream begins with all that is on record, or with what comes", async () => {
    const session = new pg.Client({ connectionString: service.database.url("service") });
    await session.connect();
    const begun = (stream: string, from: "beginning" | "now") => readReportsPlace(session, stream, from);
    const { position } = await begun("late", "now");
    const places = { all: await begun("all", "beginning"), again: await begun("late", "beginning") };
    await session.end();
    expect(position).toBeGreaterThan(10);
    expect(places).toMatchObject({ all: { position: 0 }, again: { position } });
  });

  test("its state is shown: connected, nothing that waits, the event stream green", async () => {
    await until("nothing waits", async () => {
      const lags = await Promise.all([
        metricValue(service, 'polytraders_gov_bus_lag_messages{source="actions"}'),
        metricValue(service, 'polytraders_gov_bus_lag_messages{source="fills"}'),
        metricValue(service, "polytraders_gov_bus_report_lag_records"),
      ]);
      return lags.every((lag) => lag === 0);
    });
    expect(await metricValue(service, "polytraders_gov_bus_connected")).toBe(1);
    expect(await metricValue(service, "polytraders_gov_event_stream_ok")).toBe(1);
    expect(await healthOf(service)).toMatchObject({ status: "green" });
  });
});

function placeOf({ headers }: Stored): number {
  return Number(headers["governance-sequence"]) + (headers["governance-subject"] === fills ? 1000 : 0);
}
