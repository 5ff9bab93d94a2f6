import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ReportService } from "../../../gen/ts/polytraders/governance/v1/report_service_pb.ts";
import type { StreamReportsResponse } from "../../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import { auditorAs, ledgerAs } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { startDatabaseProxy } from "../../support/proxy.ts";
import { asRefusal } from "../../support/refusal.ts";
import { startRelay } from "../../support/relay.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";
import { action } from "../ledger/actions.ts";
import { eventIdsOf, type ReportClient, readReports, reportsAs } from "./reading.ts";

let running: AsyncDisposableStack;
let database: TestDatabase;
let service: TestService;
beforeEach(async () => {
  running = new AsyncDisposableStack();
  database = running.use(await createTestDatabase());
  service = running.use(await startTestService({ database }));
});
afterEach(() => running.disposeAsync());

/** Another replica on the same database. */
async function startReplica(options: Parameters<typeof startTestService>[0] = {}): Promise<TestService> {
  const env = { GOVERNANCE_SCRUB_KEY_FILE: join(service.dataDir, "scrub.key"), ...options.env };
  return running.use(await startTestService({ database, ...options, env }));
}

async function writeActions(to: TestService, name: string, many: number): Promise<void> {
  const bot = await ledgerAs(to, "bot");
  for (let i = 0; i < many; i++) await bot.recordUserAction(action(`${name} ${i}`));
}

async function writeChanges(to: TestService, name: string, many: number): Promise<void> {
  const store = await auditorAs(to, "config-store");
  for (let i = 0; i < many; i++) await store.checkWrite(write(`${name}_${i}`));
}

/** The positions that came, each as often as it came. */
function positionsOf(messages: readonly StreamReportsResponse[]): number[] {
  return messages.map(({ at }) => Number(at?.position));
}

const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

test("cut again and again while four write: with the last place it goes on, no gap, no repeat", async () => {
  const writing = Promise.all([
    writeActions(service, "a", 150),
    writeActions(service, "b", 150),
    writeChanges(service, "c", 150),
    writeChanges(service, "d", 150),
  ]);
  const token = await service.token({ roles: ["compliance"] });
  const messages: StreamReportsResponse[] = [];
  let cuts = 0;
  while (messages.length < 600) {
    await using relay = await startRelay(service.grpcPort, 1_000 + ((cuts * 7_919) % 30_000), "cut");
    const client = createClient(
      ReportService,
      createGrpcTransport({ baseUrl: `http://127.0.0.1:${relay.port}` }),
    );
    const after = messages.at(-1)?.at;
    const leaving = new AbortController();
    try {
      const stream = client.streamReports(after === undefined ? {} : { after }, {
        headers: { authorization: `Bearer ${token}` },
        signal: leaving.signal,
      });
      for await (const message of stream) {
        messages.push(message);
        if (messages.length >= 600) leaving.abort();
      }
    } catch (cause) {
      if (!leaving.signal.aborted) expect(asRefusal(cause).reason).toBeUndefined();
      cuts++;
    }
  }
  await writing;
  expect(positionsOf(messages)).toEqual(upTo(600));
  expect(cuts).toBeGreaterThan(5);
});

test("two replicas: what one commits the other's readers get too, in order, each once", async () => {
  const other = await startReplica();
  const clients = [
    await reportsAs(service, "compliance"),
    await reportsAs(other, "compliance", { protocol: "connect" }),
  ];
  const readers = clients.map((client) => running.use(readReports(client, {})));
  await Promise.all([
    writeActions(service, "here", 60),
    writeActions(other, "there", 60),
    writeChanges(other, "there", 60),
  ]);
  for (const reader of readers) {
    const messages = await reader.until((sofar) => sofar.length >= 180);
    expect(positionsOf(messages)).toEqual(upTo(messages.length));
  }
  await writeActions(other, "last", 1);
  await readers[0]?.until((messages) => eventIdsOf(messages).includes("last 0"));
});

test("a service that stops says so, and another goes on from the same place", async () => {
  await writeActions(service, "a", 5);
  const readers = await Promise.all(
    (["grpc", "connect", "json", "grpc-web"] as const).map(async (protocol) =>
      readReports(await reportsAs(service, "compliance", { protocol }), {}),
    ),
  );
  for (const reader of readers) await reader.until((messages) => messages.length >= 5);
  const other = await startReplica();
  const startedMs = performance.now();
  await service[Symbol.asyncDispose]();
  expect(performance.now() - startedMs, "nobody is waited for").toBeLessThan(3_000);
  for (const reader of readers) {
    expect(asRefusal(await reader.ended)).toMatchObject({ code: "Unavailable", reason: "SHUTTING_DOWN" });
  }
  await writeActions(other, "b", 1);
  const after = readers[0]?.messages.at(-1)?.at;
  const reader = running.use(
    readReports(await reportsAs(other, "compliance"), after === undefined ? {} : { after }),
  );
  expect(eventIdsOf(await reader.until((messages) => messages.length > 0))).toEqual(["b 0"]);
});

test("the database away: the stream waits, and misses nothing", async () => {
  const proxy = running.use(await startDatabaseProxy());
  const behindProxy = await startReplica({ env: { DATABASE_URL: proxy.through(database.url("service")) } });
  const client: ReportClient = await reportsAs(behindProxy, "compliance");
  await writeActions(service, "before", 3);
  const reader = running.use(readReports(client, {}));
  const lagging = running.use(readReports(client, { fromNow: true, progressSeconds: 1 }));
  await reader.until((messages) => messages.length >= 3);
  await lagging.until((messages) => messages.length > 0);
  proxy.cut();
  await writeActions(service, "meanwhile", 20);
  const progress = lagging.messages.length;
  await lagging.until((messages) => messages.length > progress);
  proxy.mend();
  const messages = await reader.until((sofar) => eventIdsOf(sofar).length >= 23);
  expect(positionsOf(messages)).toEqual(upTo(messages.length));
  await lagging.until((messages) => eventIdsOf(messages).length >= 20);
});
