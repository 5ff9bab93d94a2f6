import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ListSessionGapsResponse } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { microsOf, stoppedClock } from "../../support/clock.ts";
import { createTestDatabase } from "../../support/database.ts";
import { type LogRecords, logRecords } from "../../support/logRecords.ts";
import { metricValue } from "../../support/metrics.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { openStream } from "./actionStream.ts";
import { action, wallet } from "./actions.ts";

const clock = stoppedClock("2026-05-09T10:00:00Z");
const running = new AsyncDisposableStack();
let service: TestService;
let log: LogRecords;
let bot: LedgerClient;
let compliance: LedgerClient;
beforeAll(async () => {
  log = logRecords();
  service = running.use(await startTestService({ clock, log: log.log }));
  bot = await ledgerAs(service, "bot");
  compliance = await ledgerAs(service, "compliance");
});
afterAll(() => running.disposeAsync());

let events = 0;
/** Records an action with the number in the session. */
function send(sessionId: string, sessionSeq: bigint | number, by = bot) {
  return by.recordUserAction(action(`gap_${++events}`, { sessionId, sessionSeq: BigInt(sessionSeq) }));
}

/** What is missing from a session now, as text: "2-4, 9". */
async function missingOf(sessionId: string): Promise<string> {
  return textOf(await compliance.listSessionGaps({ sessionId }));
}

function textOf({ gaps }: ListSessionGapsResponse): string {
  const ranges = gaps.flatMap((gap) => gap.missing);
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(", ");
}

/** What the log says of a session's gaps. */
function told(sessionId: string, records = log): Record<string, unknown>[] {
  return records.withReason().filter((record) => record.sessionId === sessionId);
}

const gapsTotal = (event: string) =>
  `polytraders_gov_useractivityledger_session_gaps_total{event="${event}"}`;

test("numbers that are missing are noticed, named while they are, and closed when they arrive (R21)", async () => {
  await send("noticed", 1);
  expect(await missingOf("noticed")).toBe("");
  await send("noticed", 5);
  await send("noticed", 7);
  expect(await missingOf("noticed")).toBe("2-4, 6");
  await send("noticed", 3);
  expect(await missingOf("noticed")).toBe("2, 4, 6");
  for (const late of [6, 4, 2]) await send("noticed", late);
  expect(await missingOf("noticed")).toBe("");
});

test("a session is listed with when it was noticed and what is missing, once", async () => {
  clock.set("2026-05-09T11:00:00.000001Z");
  await send("listed", 4);
  await missingOf("listed");
  clock.set("2026-05-09T12:00:00Z");
  await send("listed", 2);
  const { gaps, nextPageToken } = await compliance.listSessionGaps({ sessionId: "listed" });
  expect(gaps).toMatchObject([
    {
      sessionId: "listed",
      missing: [
        { first: 1n, last: 1n },
        { first: 3n, last: 3n },
      ],
      detectedAt: { seconds: BigInt(microsOf("2026-05-09T11:00:00Z") / 1e6), nanos: 1000 },
      reasonCode: "ACTION_GAP_DETECTED",
    },
  ]);
  expect([gaps.length, nextPageToken]).toEqual([1, ""]);
});

test("the log warns of missing numbers and says when they came, and the metrics count both", async () => {
  const before = [
    await metricValue(service, gapsTotal("opened")),
    await metricValue(service, gapsTotal("closed")),
  ];
  await send("told", 1);
  await send("told", 6);
  await missingOf("told");
  await send("told", 3);
  await missingOf("told");
  expect(told("told")).toEqual([
    {
      level: "warn",
      reasonCode: "ACTION_GAP_DETECTED",
      sessionId: "told",
      opened: "2-5",
      missing: "2-5",
    },
    {
      level: "info",
      reasonCode: "ACTION_GAP_CLOSED",
      sessionId: "told",
      closed: "3",
      missing: "2, 4-5",
    },
  ]);
  expect([
    await metricValue(service, gapsTotal("opened")),
    await metricValue(service, gapsTotal("closed")),
  ]).toEqual(before.map((value) => (value ?? 0) + 1));
  expect(log.text()).not.toContain(wallet.slice(2));
});

test("one number under two event ids is seen once, and closes nothing twice", async () => {
  await send("twice", 3);
  await missingOf("twice");
  for (const number of [3, 1, 1, 3]) {
    await send("twice", number);
    await missingOf("twice");
  }
  expect(told("twice").map(({ reasonCode, opened, closed }) => [reasonCode, opened ?? closed])).toEqual([
    ["ACTION_GAP_DETECTED", "1-2"],
    ["ACTION_GAP_CLOSED", "1"],
  ]);
  expect(await missingOf("twice")).toBe("2");
});

test("an action that is sent again, or refused as a conflict, changes no gap", async () => {
  const first = action("gap_again", { sessionId: "again", sessionSeq: 2n });
  await bot.recordUserAction(first);
  await bot.recordUserAction(first);
  await expect(bot.recordUserAction({ ...first, sessionSeq: 9n })).rejects.toThrow("EVENT_ID_CONFLICT");
  expect(await missingOf("again")).toBe("1");
});

test("a session without numbers has no gaps, and one that numbers some of its actions has those between", async () => {
  await bot.recordUserAction(action("gap_none", { sessionId: "unnumbered" }));
  expect(await missingOf("unnumbered")).toBe("");
  await send("unnumbered", 2);
  expect(await missingOf("unnumbered")).toBe("1");
});

test("the largest numbers are one gap, not as many as there are numbers between", async () => {
  const largest = 2n ** 63n - 1n;
  await send("huge", 1);
  await send("huge", largest);
  expect(await missingOf("huge")).toBe(`2-${largest - 1n}`);
  await send("huge", largest - 1n);
  await send("huge", 9_000_000_000_000_000_000n);
  expect(await missingOf("huge")).toBe(`2-8999999999999999999, 9000000000000000001-${largest - 2n}`);
});

test("a session's gaps are its own, whatever its name", async () => {
  for (const sessionId of ["{[1,2)}", "'; drop table ledger.session_seen; --", "\u2028", "listed "]) {
    await send(sessionId, 2);
    expect(await missingOf(sessionId)).toBe("1");
  }
});

test("pages go by session id, with neither gaps nor repeats, whatever their size", async () => {
  const names = Array.from({ length: 12 }, (_, i) => `paged_${String.fromCharCode(97 + i)}`);
  await Promise.all(names.toReversed().map((sessionId) => send(sessionId, 2)));
  const all = (await compliance.listSessionGaps({ pageSize: 1000 })).gaps.map((gap) => gap.sessionId);
  expect(all).toEqual(all.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  expect(all).toEqual(expect.arrayContaining(names));
  for (const pageSize of [1, 5]) {
    const listed: string[] = [];
    let pageToken = "";
    do {
      const page = await compliance.listSessionGaps({ pageSize, pageToken });
      expect(page.gaps.length).toBeLessThanOrEqual(pageSize);
      listed.push(...page.gaps.map((gap) => gap.sessionId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(listed).toEqual(all);
  }
});

/** Records an action for each number in one stream, a thousand at a time. */
async function stream(sessionId: string, numbers: readonly number[]): Promise<void> {
  const opened = await openStream(bot, sessionId);
  for (let from = 0; from < numbers.length; from += 1000) {
    const batch = numbers
      .slice(from, from + 1000)
      .map((number) => action(`gap_${sessionId}_${number}`, { sessionId, sessionSeq: BigInt(number) }));
    opened.send(from + 1, batch);
    await opened.ack();
  }
  await opened.end();
}

test("a session with very many gaps is answered with the first thousand, and they still close", async () => {
  const even = Array.from({ length: 2_000 }, (_, i) => 2 * i + 2);
  await stream("even", even);
  const { gaps } = await compliance.listSessionGaps({ sessionId: "even" });
  expect(gaps[0]?.missing).toHaveLength(1000);
  expect(gaps[0]?.missing.at(-1)).toMatchObject({ first: 1999n, last: 1999n });
  await stream(
    "even",
    even.map((number) => number - 1),
  );
  expect(await missingOf("even")).toBe("");
});

test("a session whose numbers are no count is noted no further, and holds up nobody", async () => {
  const recorded = () =>
    service.database.query<{ n: number }>(
      "superuser",
      "select count(*)::int as n from ledger.session_gap where session_id = 'random'",
    );
  await stream(
    "random",
    Array.from({ length: 6_000 }, (_, i) => 7 * i + 3),
  );
  await missingOf("random");
  const before = await recorded();
  await stream("random", [5, 100_000, 50_000]);
  await send("counted", 2);
  expect(await missingOf("counted")).toBe("1");
  expect(await recorded()).toEqual(before);
});

test("a gap that is noticed in a month that nobody made partitions for is recorded in it", async () => {
  clock.set("2031-02-01T00:00:00Z");
  await send("far", 2);
  expect(await missingOf("far")).toBe("1");
  const rows = await service.database.query(
    "superuser",
    "select retained_until::text as until, record_id ~ '^01[0-9A-HJKMNP-TV-Z]{24}$' as ulid from ledger.session_gap where session_id = 'far'",
  );
  expect(rows).toEqual([{ until: "2038-02-01", ulid: true }]);
  clock.set("2026-05-09T10:00:00Z");
});

test("gaps have their places in the log, which has no hole", async () => {
  await send("placed", 3);
  await missingOf("placed");
  const [row] = await service.database.query<{ unplaced: number; head: number; n: number }>(
    "superuser",
    `select (select count(*)::int from ledger.session_gap g where not exists (
         select from log.entry e where (e.epoch, e.xid, e.ord, e.source) = (g.epoch, g.xid, g.ord, 'g'))) as unplaced,
       max(position)::int as head, count(*)::int as n from log.entry`,
  );
  expect(row?.unplaced).toBe(0);
  expect(row?.head).toBe(row?.n);
});

test("any order of arrivals ends in the same missing numbers: those below the largest that never came", async () => {
  let session = 0;
  const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 14 }), { minLength: 1, maxLength: 8 });
  const arrivals = numbers.chain((unique) =>
    fc.tuple(
      fc.shuffledSubarray([...unique, ...unique], { minLength: unique.length * 2 }),
      fc.array(fc.boolean(), { minLength: unique.length * 2, maxLength: unique.length * 2 }),
    ),
  );
  await fc.assert(
    fc.asyncProperty(arrivals, async ([sent, waits]) => {
      const sessionId = `any_${++session}`;
      let underWay: Promise<unknown>[] = [];
      for (const [i, number] of sent.entries()) {
        underWay.push(send(sessionId, number));
        if (!waits[i]) continue;
        await Promise.all(underWay);
        underWay = [];
        await missingOf(sessionId);
      }
      await Promise.all(underWay);
      const missing = new Set<number>();
      for (let number = 1; number <= Math.max(...sent); number++) {
        if (!sent.includes(number)) missing.add(number);
      }
      const { gaps } = await compliance.listSessionGaps({ sessionId });
      const answered = gaps[0]?.missing.flatMap(({ first, last }) =>
        Array.from({ length: Number(last - first) + 1 }, (_, i) => Number(first) + i),
      );
      expect(new Set(answered)).toEqual(missing);
      await expectHistoryToAddUp(sessionId, missing);
    }),
    { numRuns: 25 },
  );
});

/** Each number was noticed missing once at most, and closed once, unless it is missing still. */
async function expectHistoryToAddUp(sessionId: string, missing: ReadonlySet<number>): Promise<void> {
  const rows = await service.database.query<{ number: number; opened: number; closed: number }>(
    "superuser",
    `select number::int as number, sum(opened)::int as opened, sum(closed)::int as closed from (
       select generate_series(lower(r), upper(r) - 1) + 1 as number, 1 as opened, 0 as closed
       from ledger.session_gap, unnest(opened) r where session_id = $1
       union all
       select generate_series(lower(r), upper(r) - 1) + 1, 0, 1
       from ledger.session_gap, unnest(closed) r where session_id = $1
     ) as noted group by number`,
    [sessionId],
  );
  for (const { number, opened, closed } of rows) {
    expect([opened, closed]).toEqual([1, missing.has(number) ? 0 : 1]);
  }
  expect(rows.map(({ number }) => number)).toEqual(expect.arrayContaining([...missing]));
}

test("two replicas notice a gap once between them, and close it once", async () => {
  await using database = await createTestDatabase();
  await using folder = await mkdtempDisposable(join(tmpdir(), "governance-keys-"));
  const env = { GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key") };
  const logs = [logRecords(), logRecords()] as const;
  await using one = await startTestService({ database, env, log: logs[0].log });
  await using other = await startTestService({ database, env, log: logs[1].log });
  const bots = [await ledgerAs(one, "bot"), await ledgerAs(other, "bot")] as const;
  const readers = [await ledgerAs(one, "compliance"), await ledgerAs(other, "compliance")] as const;
  const sessions = Array.from({ length: 10 }, (_, i) => `shared_${i}`);
  const look = () =>
    Promise.all(
      readers.map(async (reader) =>
        (await reader.listSessionGaps({})).gaps.map(({ sessionId }) => sessionId),
      ),
    );

  await Promise.all(sessions.flatMap((id, i) => [send(id, 1, bots[0]), send(id, 9 + i, bots[1])]));
  expect(await look()).toEqual([sessions, sessions]);
  await Promise.all(
    sessions.flatMap((id, i) =>
      Array.from({ length: 7 + i }, (_, n) => send(id, n + 2, bots[n % 2 ? 0 : 1])),
    ),
  );
  expect(await look()).toEqual([[], []]);

  const [row] = await database.query<{ opened: number; closed: number }>(
    "superuser",
    `select (select sum(upper(r) - lower(r)) from ledger.session_gap, unnest(opened) r)::int as opened,
       (select sum(upper(r) - lower(r)) from ledger.session_gap, unnest(closed) r)::int as closed`,
  );
  const missingAtMost = sessions.reduce((sum, _, i) => sum + 7 + i, 0);
  expect(row?.opened).toBe(row?.closed);
  expect(row?.opened).toBeLessThanOrEqual(missingAtMost);
  const [rows] = await database.query<{ opened: number; closed: number }>(
    "superuser",
    `select count(*) filter (where not isempty(opened))::int as opened,
       count(*) filter (where not isempty(closed))::int as closed from ledger.session_gap`,
  );
  const records = logs.flatMap((records) => records.withReason());
  expect(records.filter(({ reasonCode }) => reasonCode === "ACTION_GAP_DETECTED")).toHaveLength(
    rows?.opened ?? -1,
  );
  expect(records.filter(({ reasonCode }) => reasonCode === "ACTION_GAP_CLOSED")).toHaveLength(
    rows?.closed ?? -1,
  );
});

test("a restarted service knows what is missing, notices it no second time, and closes it when it comes", async () => {
  await using database = await createTestDatabase();
  await using folder = await mkdtempDisposable(join(tmpdir(), "governance-keys-"));
  const env = { GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key") };
  {
    await using first = await startTestService({ database, env });
    await send("restarted", 3, await ledgerAs(first, "bot"));
    expect(textOf(await (await ledgerAs(first, "compliance")).listSessionGaps({}))).toBe("1-2");
  }
  const records = logRecords();
  await using second = await startTestService({ database, env, log: records.log });
  const reader = await ledgerAs(second, "compliance");
  expect(textOf(await reader.listSessionGaps({}))).toBe("1-2");
  expect(told("restarted", records)).toEqual([]);
  await send("restarted", 2, await ledgerAs(second, "bot"));
  expect(textOf(await reader.listSessionGaps({}))).toBe("1");
  expect(told("restarted", records)).toMatchObject([{ reasonCode: "ACTION_GAP_CLOSED", closed: "2" }]);
});
