import { readFileSync } from "node:fs";
import { mkdir, mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { credsAuthenticator } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SettlementReportSchema } from "../../../gen/ts/polytraders/governance/v1/report_pb.ts";
import { auditorAs } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { type LogRecords, logRecords } from "../../support/logRecords.ts";
import { metricValue } from "../../support/metrics.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { until } from "../alerts/receiving.ts";
import { write } from "../auditor/writes.ts";
import { wallet } from "../ledger/actions.ts";
import {
  type Client,
  hasNats,
  healthOf,
  type NatsServer,
  natsClient,
  type Stored,
  startNats,
} from "./natsServer.ts";
import { securedServer } from "./secured.ts";

const actions = "internal.event_stream";
const actionOf = (id: string) =>
  `{"event_id":"${id}","wallet":"${wallet}","session_id":"s","action_type":"HALT"}`;

const running = new AsyncDisposableStack();
let folder: string;
let database: TestDatabase;
let proxy: DatabaseProxy;
let nats: NatsServer;
let client: Client;
let log: LogRecords;
let service: TestService;
const notPublishing = `gov.parameterchangeauditor: { publish_to_audit_log: false }\n`;
beforeAll(async () => {
  if (!hasNats) return;
  folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-bus-"))).path;
  database = running.use(await createTestDatabase());
  proxy = running.use(await startDatabaseProxy());
  nats = running.use(await startNats(folder));
  client = running.use(await natsClient(nats));
  log = logRecords("info");
  service = running.use(
    await startTestService({
      database,
      config: notPublishing,
      log: log.log,
      limits: { busEveryMs: 100, busAwayMs: 1_000 },
      env: { DATABASE_URL: proxy.through(database.url("service")), GOVERNANCE_NATS_SERVERS: nats.url },
    }),
  );
});
afterAll(() => running.disposeAsync());

/** Resolves once all of them are on record; each is, once. */
async function recorded(...ids: readonly string[]): Promise<void> {
  let found: string[] = [];
  await until(`${ids} are on record`, async () => {
    const rows = await database.query<{ id: string }>(
      "superuser",
      "select event_id as id from ledger.user_action",
    );
    found = rows.map(({ id }) => id);
    return ids.every((id) => found.includes(id));
  });
  expect(new Set(found).size).toBe(found.length);
}

describe.runIf(hasNats)("with a real nats-server (where it is installed)", () => {
  test("with Postgres away messages wait on the bus, and are recorded once it is back", async () => {
    await client.publish(actions, actionOf("evt_before"));
    await recorded("evt_before");
    proxy.cut();
    await client.publish(actions, actionOf("evt_while"));
    await until("it is noticed", () => log.text().includes("Postgres does not answer"));
    proxy.mend();
    await recorded("evt_before", "evt_while");
  });

  test("with publish_to_audit_log off operations are recorded and not published (R27)", async () => {
    const store = await auditorAs(service, "config-store");
    await store.checkWrite(write("kept to itself"));
    await client.publish(actions, actionOf("evt_last"));
    const published = async () =>
      (await client.all("polytraders_reports")).map(({ text }) => text).join("\n");
    await until("what came behind is published", async () => (await published()).includes("evt_last"));
    expect(await published()).not.toContain("kept to itself");
  });

  test("EVENT_STREAM_UNAVAILABLE is said when the bus stays away, health is amber, and both end when it is back", async () => {
    await nats.kill();
    const said = () => log.withReason().filter((record) => record.reasonCode === "EVENT_STREAM_UNAVAILABLE");
    await until("it is said", () => said().length === 1);
    expect(said()[0]).toMatchObject({ level: "warn" });
    expect(await healthOf(service)).toMatchObject({ status: "amber", limit: 1 });
    expect(await metricValue(service, "polytraders_gov_event_stream_ok")).toBe(0);
    expect(await metricValue(service, "polytraders_gov_bus_connected")).toBe(0);
    await nats.start();
    await client.publish(actions, actionOf("evt_back"));
    await recorded("evt_back");
    expect(log.text()).not.toContain("made anew");
    await until("its end is said", () => said().length === 2);
    expect(said()[1]).toMatchObject({ level: "info", isBack: true });
    expect(await healthOf(service)).toMatchObject({ status: "green" });
  });

  test("a stream that is made anew is read from its beginning, and so is one whose end was lost and written again", async () => {
    await client.jsm.streams.delete("internal_event_stream");
    await until("it is there again", async () => {
      const info = await client.jsm.streams.info("internal_event_stream").catch(() => undefined);
      return info?.state.last_seq === 0;
    });
    await client.publish(actions, actionOf("evt_anew"));
    await recorded("evt_before", "evt_while", "evt_back", "evt_anew");
    // The message at the position is another one than the one that was read.
    await database.query("superuser", "update log.bus_source set sequence = 9, message_ms = 1");
    await client.publish(actions, actionOf("evt_lost_end"));
    await recorded("evt_anew", "evt_lost_end");
    expect(log.text()).toContain("has lost its end");
  });
});

test.runIf(hasNats)(
  "over TLS with credentials; without leave to make streams it waits for them, and goes on without one for dead letters",
  async () => {
    await using own = new AsyncDisposableStack();
    const path = join(folder, "secured");
    await mkdir(path);
    const secured = await securedServer(path);
    const server = own.use(await startNats(path, ["-c", secured.config]));
    const told = logRecords("warn");
    const settings = {
      GOVERNANCE_NATS_SERVERS: server.url,
      GOVERNANCE_NATS_CA_FILE: secured.authority,
      GOVERNANCE_NATS_CREDENTIALS_FILE: await secured.credentials("service", {
        publish: ["polytraders.reports.*", "governance.dead_letters", "$JS.API.>"],
        subscribe: ["_INBOX.>"],
      }),
      GOVERNANCE_NATS_CREATE_STREAMS: "false",
      GOVERNANCE_NATS_REPORTS_FORMAT: "protobuf",
      GOVERNANCE_NATS_ACTIONS_STREAM: "events",
      GOVERNANCE_NATS_FILLS_STREAM: "events",
    };
    const one = own.use(
      await startTestService({ log: told.log, limits: { busEveryMs: 100 }, env: settings }),
    );
    await until("it is said why", () => told.text().includes("stream not found"));
    const all = await secured.credentials("bot", { publish: [">"], subscribe: [">"] });
    const bot = own.use(
      await natsClient(server, {
        tls: { caFile: secured.authority },
        authenticator: credsAuthenticator(readFileSync(all)),
      }),
    );
    await bot.jsm.streams.add({ name: "events", subjects: ["internal.*"] });
    await bot.jsm.streams.add({ name: "polytraders_reports", subjects: ["polytraders.reports.*"] });
    await bot.publish(actions, "bad");
    await bot.publish(actions, actionOf("evt_1"));
    await until("it is on record", async () => {
      const rows = await one.database.query("superuser", "select from ledger.user_action");
      return rows.length === 1;
    });
    expect(told.text()).toContain("there is no stream for dead letters");
    let published: readonly Stored[] = [];
    await until("it is published", async () => {
      published = await bot.all("polytraders_reports");
      return published.length > 0;
    });
    expect(published[0]?.headers["content-type"]).toBe("application/protobuf");
    const report = fromBinary(SettlementReportSchema, published[0]?.data ?? new Uint8Array());
    expect(report).toMatchObject({ eventType: "USER_ACTION_RECORDED", eventId: "evt_1", position: 1n });
  },
);
