import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { stoppedClock } from "../../support/clock.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { asRefusal } from "../../support/refusal.ts";
import { startTestService } from "../../support/service.ts";
import { openStream } from "./actionStream.ts";
import { action } from "./actions.ts";

/** Two replicas on one database, one's clock just before the first of the month and the other's just after. */
let database: TestDatabase;
let bots: LedgerClient[];
const running = new AsyncDisposableStack();
beforeAll(async () => {
  database = running.use(await createTestDatabase());
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-keys-")));
  const env = { GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key") };
  bots = [];
  for (const time of ["2026-10-31T23:59:59.999999Z", "2026-11-01T00:00:00Z"]) {
    const service = running.use(await startTestService({ database, env, clock: stoppedClock(time) }));
    bots.push(await ledgerAs(service, "bot"));
  }
});
afterAll(() => running.disposeAsync());

/** The same pseudo-random numbers in every run, in [0, 1). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = randomFrom(seed);
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

function ids(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}_${i}`);
}

function botOf(writer: number): LedgerClient {
  const bot = bots[writer % bots.length];
  if (bot === undefined) throw new Error("no service");
  return bot;
}

/** Checks what the database holds of the ids, told by the database alone. Answers over how many months they lie. */
async function expectEachOnce(prefix: string, count: number): Promise<number> {
  const [found] = await database.query<{
    rows: number;
    ids: number;
    keys: number;
    months: number;
    deadlocks: number;
  }>(
    "superuser",
    `select count(*)::int as rows, count(distinct a.event_id)::int as ids,
       count(*) filter (where k.record_id = a.record_id and k.accepted_at = a.accepted_at
         and k.xid = a.xid and k.ord = a.ord)::int as keys,
       count(distinct a.tableoid)::int as months,
       (select deadlocks::int from pg_stat_database where datname = current_database()) as deadlocks
     from ledger.user_action a left join ledger.event_key k on k.event_id = a.event_id
     where a.event_id like $1`,
    [`${prefix}\\_%`],
  );
  expect(found).toMatchObject({ rows: count, ids: count, keys: count, deadlocks: 0 });
  return found?.months ?? 0;
}

test("50 writers of the same events, on two replicas and over the month's end, record each once", async () => {
  const all = ids("calls", 60);
  const outcomes = await Promise.all(
    Array.from({ length: 50 }, async (_, writer) => {
      const bot = botOf(writer);
      const answers: { id: string; outcome: RecordOutcome; reportId: string | undefined }[] = [];
      for (const id of shuffled(all, writer).slice(0, 40)) {
        const { outcome, report } = await bot.recordUserAction(action(id, { params: { n: 1 } }));
        answers.push({ id, outcome, reportId: report?.reportId });
      }
      return answers;
    }),
  );
  const answers = outcomes.flat();
  const sent = new Set(answers.map((answer) => answer.id));
  const recorded = answers.filter((answer) => answer.outcome === RecordOutcome.RECORDED);
  expect(recorded.map((answer) => answer.id).sort()).toEqual([...sent].sort());
  const reportOf = new Map(recorded.map((answer) => [answer.id, answer.reportId]));
  for (const answer of answers) {
    expect([RecordOutcome.RECORDED, RecordOutcome.DUPLICATE]).toContain(answer.outcome);
    expect(answer.reportId).toBe(reportOf.get(answer.id));
  }
  expect(await expectEachOnce("calls", sent.size), "both replicas won some").toBe(2);
});

test("batches of the same events in opposite orders wait for each other and never deadlock", async () => {
  const streams = await Promise.all(
    Array.from({ length: 8 }, (_, writer) => openStream(botOf(writer), `writer-${writer}`)),
  );
  const rounds = 12;
  let fresh = 0;
  for (let round = 0; round < rounds; round++) {
    const all = ids(`batches_${round}`, 200);
    for (const [writer, stream] of streams.entries()) {
      const order = writer % 2 === 0 ? all : all.toReversed();
      stream.send(
        round * 200 + 1,
        order.map((id) => action(id)),
      );
    }
    for (const stream of streams) {
      const { results } = await stream.ack();
      expect(results.every((result) => result.outcome === RecordOutcome.DUPLICATE)).toBe(true);
      fresh += 200 - results.length;
    }
  }
  await Promise.all(streams.map((stream) => stream.end()));
  expect(fresh).toBe(rounds * 200);
  await expectEachOnce("batches", rounds * 200);
});

test("of writers with different content for one id one is recorded and every other is kept as a conflict", async () => {
  const all = ids("contents", 20);
  const answers = await Promise.all(
    Array.from({ length: 10 }, async (_, writer) => {
      const settled = shuffled(all, writer).map((id) =>
        botOf(writer)
          .recordUserAction(action(id, { params: { writer } }))
          .then(
            () => "recorded",
            (cause: unknown) => asRefusal(cause).reason,
          ),
      );
      return Promise.all(settled);
    }),
  );
  const counts = Map.groupBy(answers.flat(), (answer) => answer);
  expect(counts.get("recorded")).toHaveLength(20);
  expect(counts.get("EVENT_ID_CONFLICT")).toHaveLength(180);
  await expectEachOnce("contents", 20);
  const [kept] = await database.query<{ conflicts: number; merged: number }>(
    "superuser",
    `select count(*)::int as conflicts, count(*) filter (where c.params_json = a.params_json)::int as merged
     from ledger.conflict c join ledger.user_action a using (event_id) where event_id like 'contents\\_%'`,
  );
  expect(kept).toEqual({ conflicts: 180, merged: 0 });
});
