import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { ledgerAs } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { type ActionStream, openStream } from "./actionStream.ts";
import { action } from "./actions.ts";
import { holdEvent } from "./heldRow.ts";

let database: TestDatabase;
let env: NodeJS.ProcessEnv;
const running = new AsyncDisposableStack();
beforeAll(async () => {
  database = running.use(await createTestDatabase());
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-keys-")));
  env = { GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key") };
});
afterAll(() => running.disposeAsync());

function start(): Promise<TestService> {
  return startTestService({ database, env });
}

async function producer(service: TestService, streamId: string): Promise<ActionStream> {
  return openStream(await ledgerAs(service, "bot"), streamId);
}

async function recordedIds(prefix: string): Promise<string[]> {
  const rows = await database.query<{ event_id: string }>(
    "superuser",
    "select event_id from ledger.user_action where event_id like $1 order by epoch, xid, ord",
    [`${prefix}\\_%`],
  );
  return rows.map((row) => row.event_id);
}

/**
 * Sends the batches of one producer behind an offset, all at once, and gives those that were not new. What comes while
 * its session still waits in the spool goes there too.
 */
async function sendRest(
  stream: ActionStream,
  prefix: string,
  batches: number,
  size: number,
): Promise<string[]> {
  const known: string[] = [];
  const first = Number(stream.lastOffset) / size;
  for (let batch = first; batch < batches; batch++)
    stream.send(batch * size + 1, batchOf(prefix, batch, size));
  for (let batch = first; batch < batches; batch++) {
    for (const result of (await stream.ack()).results) {
      if (result.outcome === RecordOutcome.BUFFERED) continue;
      expect(result.outcome).toBe(RecordOutcome.DUPLICATE);
      known.push(result.eventId);
    }
  }
  await stream.end();
  return known;
}

function batchOf(prefix: string, batch: number, size: number) {
  return Array.from({ length: size }, (_, i) => action(`${prefix}_${batch * size + i + 1}`));
}

test("a stream cut in the middle loses nothing that was acked, and goes on where it was told", async () => {
  await using service = await start();
  const first = await producer(service, "cut");
  for (let batch = 0; batch < 40; batch++) first.send(batch * 25 + 1, batchOf("cut", batch, 25));
  let acked = 0n;
  for (let batch = 0; batch < 7; batch++) acked = (await first.ack()).lastOffset;
  first.cut();

  const second = await producer(service, "cut");
  expect(second.lastOffset).toBeGreaterThanOrEqual(acked);
  const durable = new Set(await recordedIds("cut"));
  for (let offset = 1; offset <= Number(second.lastOffset); offset++)
    expect(durable).toContain(`cut_${offset}`);
  await sendRest(second, "cut", 40, 25);
  const ids = await recordedIds("cut");
  expect(ids).toHaveLength(1000);
  expect(new Set(ids).size).toBe(1000);
});

test("a producer goes on after the service was started again, and nothing is recorded twice", async () => {
  {
    await using service = await start();
    const stream = await producer(service, "restarted");
    stream.send(1, batchOf("restarted", 0, 10));
    expect((await stream.ack()).lastOffset).toBe(10n);
    stream.send(11, batchOf("restarted", 1, 10));
    stream.cut(); // Whether the second batch was taken is for the server to say.
  }
  await using service = await start();
  const stream = await producer(service, "restarted");
  expect([10n, 20n]).toContain(stream.lastOffset);
  await sendRest(stream, "restarted", 5, 10);
  expect(await recordedIds("restarted")).toEqual(Array.from({ length: 50 }, (_, i) => `restarted_${i + 1}`));
});

/** Makes the database fail on one event, once a test lets go of it, as a faulty disk would. */
async function failOnEvent(
  eventId: string,
): Promise<{ waitedFor(): Promise<void>; letFail(): Promise<void> }> {
  const run = (text: string) => database.query("superuser", text);
  await run(`create or replace function fail_here() returns trigger language plpgsql as $$ begin
    perform pg_advisory_xact_lock(1);
    raise exception 'the disk is faulty' using errcode = 'io_error';
  end $$`);
  await run(`create or replace trigger fail_here before insert on ledger.event_key for each row
    when (new.event_id = '${eventId}') execute function fail_here()`);
  const holder = new pg.Client({ connectionString: database.url("superuser") });
  await holder.connect();
  await holder.query("select pg_advisory_lock(1)");
  return {
    async waitedFor() {
      await expect
        .poll(() => run("select granted from pg_locks where locktype = 'advisory' and not granted"))
        .toHaveLength(1);
    },
    letFail: () => holder.end(),
  };
}

test("a batch that the database fails on is buffered, and on record with those behind it when it does not", async () => {
  await using service = await start();
  const stream = await producer(service, "hole");
  stream.send(1, batchOf("hole", 0, 5));
  await stream.ack();
  const fault = await failOnEvent("hole_6");
  stream.send(6, batchOf("hole", 1, 5));
  await fault.waitedFor();
  stream.send(11, batchOf("hole", 2, 5));
  await sleep(50); // Time for it to be under way as well.
  await fault.letFail();
  const buffered = await stream.ack();
  expect(buffered.lastOffset).toBe(10n);
  expect(buffered.results.map(({ outcome }) => outcome)).toEqual(new Array(5).fill(RecordOutcome.BUFFERED));
  expect((await stream.ack()).lastOffset).toBe(15n);
  await stream.end();
  await database.query("superuser", "drop trigger fail_here on ledger.event_key");
  await expect.poll(async () => (await recordedIds("hole")).length, { timeout: 10_000 }).toBe(15);

  const again = await producer(service, "hole");
  expect(again.lastOffset, "all that was acknowledged").toBe(15n);
  await sendRest(again, "hole", 4, 5);
  await expect
    .poll(async () => (await recordedIds("hole")).toSorted(), { timeout: 10_000 })
    .toEqual(Array.from({ length: 20 }, (_, i) => `hole_${i + 1}`).toSorted());
});

test("a producer whose older stream is still being recorded when it comes back is not set back", async () => {
  await using service = await start();
  const first = await producer(service, "overtaken");
  let second: ActionStream;
  {
    await using held = await holdEvent(database, "overtaken_1");
    first.send(1, batchOf("overtaken", 0, 5));
    await held.waitedFor();
    second = await producer(service, "overtaken");
    first.cut();
  }
  expect(second.lastOffset).toBe(0n);
  for (let batch = 0; batch < 3; batch++) {
    second.send(batch * 5 + 1, batchOf("overtaken", batch, 5));
    await second.ack();
  }
  await second.end();
  const third = await producer(service, "overtaken");
  expect(third.lastOffset).toBe(15n);
  await third.end();
  expect(await recordedIds("overtaken")).toHaveLength(15);
});
