import { setTimeout as sleep } from "node:timers/promises";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ReportService } from "../../../gen/ts/polytraders/governance/v1/report_service_pb.ts";
import {
  StreamReportsRequestSchema,
  StreamReportsResponseSchema,
} from "../../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { pathOf } from "../edge/raw.ts";
import { action } from "../ledger/actions.ts";
import { eventIdsOf, readReports, reportsAs } from "./reading.ts";

let service: TestService;
let bot: LedgerClient;
const clients: Client[] = [];
beforeAll(async () => {
  service = await startTestService();
  bot = await ledgerAs(service, "bot");
});
afterAll(async () => {
  for (const client of clients) client.close();
  await service[Symbol.asyncDispose]();
});

/** A reader that costs the test next to nothing: bytes, decoded at the end alone. */
type Cheap = { readonly received: Buffer[]; cancel(): void };

function readCheaply(client: Client, token: string): Cheap {
  const received: Buffer[] = [];
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  const call = client.makeServerStreamRequest(
    pathOf(ReportService.method.streamReports),
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => bytes,
    Buffer.from(
      toBinary(StreamReportsRequestSchema, {
        $typeName: "polytraders.governance.v1.StreamReportsRequest",
        topic: "",
        eventTypes: [],
        bot: "",
        wallet: "",
        fromNow: false,
        progressSeconds: 0,
      }),
    ),
    metadata,
  );
  call.on("data", (message: Buffer) => received.push(message));
  call.on("error", () => undefined); // Cancelled at the end; what it received is looked at.
  return { received, cancel: () => call.cancel() };
}

let written = 0;
/** Milliseconds that each of so many writes took, one after the other with a pause. */
async function writeTimes(many: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < many; i++) {
    const started = performance.now();
    await bot.recordUserAction(action(`write ${written++}`));
    times.push(performance.now() - started);
    await sleep(20);
  }
  return times.toSorted((a, b) => a - b);
}

const middle = (sorted: readonly number[]) => sorted[Math.floor(sorted.length / 2)] ?? 0;
const readers = 500;

test("500 who read fast and one who does not read: writers keep their latency, each reader gets all", async () => {
  const before = await writeTimes(40);
  const token = await service.token({ roles: ["compliance"] });
  const cheap: Cheap[] = [];
  for (let i = 0; i < readers; i++) {
    if (i % 100 === 0) {
      clients.push(
        new Client(`127.0.0.1:${service.grpcPort}`, credentials.createInsecure(), {
          "grpc.use_local_subchannel_pool": 1,
        }),
      );
    }
    const client = clients.at(-1);
    if (client !== undefined) cheap.push(readCheaply(client, token));
  }
  const slow = (await reportsAs(service, "compliance", { protocol: "connect" }))
    .streamReports({})
    [Symbol.asyncIterator]();
  await slow.next();
  while (cheap.some(({ received }) => received.length < written)) await sleep(20);

  const during = await writeTimes(60);
  while (cheap.some(({ received }) => received.length < written)) await sleep(20);
  for (const { received, cancel } of cheap) {
    cancel();
    const last = fromBinary(StreamReportsResponseSchema, received.at(-1) ?? Buffer.alloc(0));
    expect(last.at?.position, "one message a position").toBe(BigInt(received.length));
  }
  for (let position = 2n; position <= BigInt(written); position++) {
    const { value } = await slow.next();
    expect(value?.at?.position).toBe(position);
  }
  await slow.return?.(undefined);
  // The readers' own work is in this process too, so it is bounded loosely; a queue behind readers would show.
  expect(middle(during)).toBeLessThan(middle(before) + 100);
  expect(during.at(-1)).toBeLessThan(1_000);
});

const bulk = 400;

/** Large records, as if recorded, in one transaction: more than is kept for live readers. */
async function fillLedger(): Promise<void> {
  await service.database.query(
    "superuser",
    `insert into ledger.user_action (accepted_at, epoch, ord, retained_until, record_id, event_id, wallet, session_id,
       action_type, recorded_by, params_json)
     select now(), 1, n, '2040-01-01', 'r' || n, 'bulk_' || n, $1, 'bulk', 'HALT', 'filler',
       '{"filler":"' || repeat(md5(n::text), 1875) || '"}'
     from generate_series(1, $2) n`,
    [`0x${"a".repeat(40)}`, bulk],
  );
}

test("who stops reading while more comes than is kept for live readers goes on by itself, and misses nothing", async () => {
  const slow = (await reportsAs(service, "compliance")).streamReports({ fromNow: true, progressSeconds: 1 });
  const reading = slow[Symbol.asyncIterator]();
  const from = (await reading.next()).value?.at?.position ?? 0n;
  await using live = readReports(await reportsAs(service, "compliance", { protocol: "connect" }), {
    fromNow: true,
  });
  await fillLedger();
  await live.until((messages) => eventIdsOf(messages).length >= bulk);
  await bot.recordUserAction(action("behind the bulk"));
  await live.until((messages) => eventIdsOf(messages).includes("behind the bulk"));
  const positions: bigint[] = [];
  for (let eventId = ""; eventId !== "behind the bulk"; ) {
    const { value } = await reading.next();
    if (value?.report.case !== "settlement") continue;
    eventId = value.report.value.eventId;
    positions.push(value.at?.position ?? 0n);
  }
  expect(positions).toEqual(positions.map((_, i) => from + BigInt(i) + 1n));
  expect(positions.length).toBeGreaterThan(bulk);
  await reading.return?.(undefined);
});
