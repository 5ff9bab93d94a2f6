import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { appendFile, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Transport } from "@connectrpc/connect";
import {
  exportFills,
  exportUserActions,
  openRecorder,
  type Recorder,
  RecorderFullError,
  type RecorderOptions,
  type RefusedRecord,
} from "polytraders-governance-client";
import { ErrorReason, UserActivityLedgerService } from "polytraders-governance-client/v1";
import {
  actionOf,
  address,
  complianceToken,
  connect,
  eventually,
  folderOf,
  reportOf,
  serve,
  startChild,
  wallet,
  wireTo,
  within,
} from "./support.js";

async function recorderAt(
  t: TestContext,
  transport: Transport,
  folder: string,
  options?: RecorderOptions,
): Promise<Recorder> {
  const recorder = await openRecorder(transport, folder, options);
  t.after(() => recorder.close());
  return recorder;
}

const compliance = connect(address, complianceToken);

type Line = {
  event_id: string;
  occurred_at?: string;
  report: { market: string; trade_id: string; size: string };
};

async function exported(kind: "actions" | "fills", session: string, count: number): Promise<Line[]> {
  return eventually(async () => {
    const path = `${await folderOf()}.jsonl`;
    if (kind === "actions") await exportUserActions(compliance, { sessionId: session }, path, within());
    else await exportFills(compliance, {}, path, within());
    const lines = (await readFile(path, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
    const all: Line[] = lines.map((line) => JSON.parse(line));
    const found = kind === "actions" ? all : all.filter(({ report }) => report.market === session);
    // What the service has only buffered comes a little later.
    return found.length >= count ? found : undefined;
  });
}

/** Checks that ids end with 1, 2, 3 … in order, at least up to count. */
function assertEachOnce(ids: readonly string[], count: number): void {
  assert.deepEqual(
    ids.map((id) => Number(id.slice(id.lastIndexOf("-") + 1))),
    ids.map((_, index) => index + 1),
  );
  assert.ok(ids.length >= count, `${ids.length} on record, want ${count}`);
}

async function assertOnRecord(session: string, count: number): Promise<void> {
  const actions = await exported("actions", session, count);
  assertEachOnce(
    actions.map((line) => line.event_id),
    count,
  );
  const fills = await exported("fills", session, count);
  assertEachOnce(
    fills.map((line) => line.report.trade_id),
    count,
  );
  assert.equal(fills[0]?.report.size, "1137.190000000000000001");
}

const numbers = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index);

test("everything is recorded once and in order, whatever is cut", async (t) => {
  const wire = await wireTo(t);
  const session = randomUUID();
  const recorder = await recorderAt(t, connect(wire.address), await folderOf());
  for (let from = 1; from <= 1_200; from += 100) {
    await Promise.all([
      recorder.recordActions(numbers(from, 100).map((number) => actionOf(session, number))),
      recorder.recordReports(numbers(from, 100).map((number) => reportOf(session, number))),
    ]);
    if (from % 300 === 1) wire.cut();
  }
  await recorder.flush(within());
  assert.deepEqual(recorder.pending(), { actions: 0, reports: 0 });
  await assertOnRecord(session, 1_200);
});

test("nothing is lost when the process is killed", async (t) => {
  const wire = await wireTo(t);
  const [session, folder] = [randomUUID(), await folderOf()];
  let promised = 0;
  for (const run of [0, 1, 2]) {
    // Away at first, then there. Each run numbers from 1 again, and the service knows each event_id.
    wire.shut(run === 0);
    const child = startChild(t, "recorder", folder, wire.address, session);
    for (let line = 0; line < 60; line++) promised = Math.max(promised, Number(await child.line()));
    await child.kill();
    wire.cut();
  }
  // Half of a record, as a power cut leaves it.
  await appendFile(join(folder, "actions-1.log"), Buffer.from([255, 0, 0, 0, 9, 9, 9, 9, 9]));
  const recorder = await recorderAt(t, connect(), folder);
  await recorder.flush(within());
  await assertOnRecord(session, promised);
});

test("what the service refuses is kept aside, and its neighbours are recorded", async (t) => {
  const [session, folder] = [randomUUID(), await folderOf()];
  const told: RefusedRecord[] = [];
  const recorder = await openRecorder(connect(), folder, { onRefused: (refused) => told.push(refused) });
  const bad = { ...actionOf(session, 99), wallet: "nope" };
  await recorder.recordActions([actionOf(session, 1), bad, actionOf(session, 2)]);
  await recorder.flush(within());
  await recorder.close();
  const [refused] = await (await recorderAt(t, connect(), folder)).refused();
  assert.deepEqual(told, [refused]);
  assert.ok(refused?.kind === "action");
  assert.equal(refused.action.eventId, bad.eventId);
  assert.equal(refused.result.reason, ErrorReason.INVALID_FIELD);
  assertEachOnce(
    (await exported("actions", session, 2)).map((line) => line.event_id),
    2,
  );
});

test("an action without an id gets one, and its time", async (t) => {
  const session = randomUUID();
  const recorder = await recorderAt(t, connect(), await folderOf());
  const [kept] = await recorder.recordActions([{ wallet, sessionId: session, actionType: "HALT" }]);
  await recorder.flush(within());
  const [line] = await exported("actions", session, 1);
  assert.equal(line?.event_id, kept?.eventId);
  assert.ok(line?.occurred_at);
});

test("text that would arrive changed is refused, and nothing of the call is kept", async (t) => {
  const recorder = await recorderAt(t, connect("127.0.0.1:1"), await folderOf());
  const broken = { ...actionOf("s", 2), traceId: "half of \ud83d" };
  await assert.rejects(
    recorder.recordActions([actionOf("s", 1), broken]),
    /traceId has half of a surrogate pair/,
  );
  assert.equal(recorder.pending().actions, 0);
  // What the half would have become is text like any other.
  await recorder.recordActions([{ ...actionOf("s", 3), traceId: "\ufffd" }]);
  assert.equal(recorder.pending().actions, 1);
});

test("a full folder is said, and nothing of the call is kept", async (t) => {
  const recorder = await recorderAt(t, connect("127.0.0.1:1"), await folderOf(), { maxBytes: 1_000 });
  let kept = 0;
  const filling = async () => {
    for (;;) {
      await recorder.recordActions([actionOf("full", 1), actionOf("full", 2)]);
      kept += 2;
    }
  };
  await assert.rejects(filling, RecorderFullError);
  assert.ok(kept > 0);
  assert.equal(recorder.pending().actions, kept);
});

test("a backlog fills neither the memory nor, once it is sent, the disk", async (t) => {
  const folder = await folderOf();
  const paramsJson = JSON.stringify({ note: "x".repeat(40_000) });
  const away = await openRecorder(connect("127.0.0.1:1"), folder);
  // 80 MB, of which at most 9 batches of 2 MB are in memory.
  const count = 2_000;
  const add = (from: number) =>
    away.recordActions(numbers(from, 50).map((number) => ({ ...actionOf("s", number), paramsJson })));
  for (let from = 1; from <= count; from += 100) await Promise.all([add(from), add(from + 50)]);
  await away.close();
  const seen: number[] = [];
  const before = memory();
  let peak = before;
  const at = await serve(t, (router) =>
    router.service(UserActivityLedgerService, {
      async *streamUserActions(requests) {
        for await (const { message } of requests) {
          if (message.case === "open") yield { message: { case: "opened", value: {} } };
          if (message.case !== "batch") continue;
          const { firstOffset, actions } = message.value;
          seen.push(...actions.map(({ sessionSeq }) => Number(sessionSeq)));
          if (Number(firstOffset) % 7 === 0) peak = Math.max(peak, memory());
          yield { message: { case: "ack", value: { lastOffset: firstOffset + BigInt(actions.length - 1) } } };
        }
      },
    }),
  );
  const recorder = await recorderAt(t, connect(at), folder);
  await recorder.flush(within());
  assert.deepEqual(seen, numbers(1, count));
  t.diagnostic(`at most ${Math.round(peak - before)} MiB more`);
  assert.ok(peak - before < 60, `${peak - before} MiB more`);
  const files = async () => (await readdir(folder)).filter((name) => /^actions-\d/.test(name));
  await eventually(async () => ((await files()).length === 1 ? true : undefined));
});

function memory(): number {
  // The tests run with --expose-gc.
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 1024 / 1024;
}

test("a flush ends with its signal", async (t) => {
  const recorder = await recorderAt(t, connect("127.0.0.1:1"), await folderOf());
  await recorder.recordActions([actionOf("s", 1)]);
  await assert.rejects(recorder.flush({ signal: AbortSignal.abort(new Error("enough")) }), /enough/);
});
