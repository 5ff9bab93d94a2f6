import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Durability } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type AuditorClient, auditorAs, type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { stoppedClock } from "../../support/clock.ts";
import { readExport } from "../../support/exportReader.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";
import { action } from "../ledger/actions.ts";

const november = "2026-11-30T23:30:00Z";
const anHourOn = "2026-12-01T00:30:00Z";
const anHourBack = "2026-11-30T22:30:00Z";

/** What a caller is told at the latest is 500 ms and 1 s; this much more where the machine is busy. */
const inTime = { timeoutMs: 10_000 };
const kept: readonly unknown[] = [Durability.DURABLE, Durability.BUFFERED];
const recorded: readonly unknown[] = [RecordOutcome.RECORDED, RecordOutcome.BUFFERED];

let clock: ReturnType<typeof stoppedClock>;
let service: TestService;
let bot: LedgerClient;
let configStore: AuditorClient;
beforeEach(async () => {
  clock = stoppedClock(november);
  service = await startTestService({ clock });
  bot = await ledgerAs(service, "bot");
  configStore = await auditorAs(service, "config-store");
});
afterEach(() => service[Symbol.asyncDispose]());

/** A write that goes by its editor's name, so that one parameter may have many. */
const named = (name: string, paramName = name) => write(paramName, { editorId: name });

/** Every action and decision as it is stored: its partition, its month by its accepted_at, its position. */
async function rows() {
  return service.database.query<{ name: string; partition: string; month: string; position: number | null }>(
    "superuser",
    `select r.name, substring(r.partition from '\\d{4}_\\d\\d$') as partition, r.month,
       (select min(e.position)::int from log.entry e where (e.epoch, e.xid, e.ord, e.source) = (r.epoch, r.xid, r.ord, r.source)
         and e.accepted_at = r.accepted_at) as position
     from (select event_id as name, tableoid::regclass::text as partition, to_char(accepted_at, 'YYYY_MM') as month,
             'a'::"char" as source, epoch, xid, ord, accepted_at from ledger.user_action
           union all
           select editor_id, tableoid::regclass::text, to_char(accepted_at, 'YYYY_MM'), 'c', epoch, xid, ord, accepted_at
           from auditor.parameter_change) r`,
  );
}

/** Names in the order of a complete export of both bots, and their positions. */
async function exported(): Promise<{ position: number; name: string }[]> {
  const actions = await readExport((await ledgerAs(service, "compliance")).exportUserActions({}));
  const changes = await readExport((await auditorAs(service, "compliance")).exportParameterChanges({}));
  return [actions, changes].flatMap(({ lines }) => {
    const placed = lines.map((line) => {
      const { position, event_id: eventId, editor_id: editorId } = JSON.parse(line);
      return { position: Number(position), name: String(eventId ?? editorId) };
    });
    expect(placed, "an export is in the order of positions").toEqual(
      placed.toSorted((a, b) => a.position - b.position),
    );
    return placed;
  });
}

test("while the clock jumps an hour on and back over a month's end, everything is answered and lies where it says", async () => {
  const stop = new AbortController();
  const jumping = (async () => {
    for (let n = 0; !stop.signal.aborted; n++) {
      clock.set([anHourOn, november, anHourBack][n % 3] ?? november);
      await sleep(3);
    }
  })();
  const callers = Array.from({ length: 4 }, async (_, caller) => {
    const own: string[] = [];
    for (let i = 0; i < 25; i++) {
      const name = `c${caller}_${i}`;
      const { outcome } = await bot.recordUserAction(action(`a_${name}`, { sessionId: `${caller}` }), inTime);
      expect(recorded).toContain(outcome);
      const { durability } = await configStore.checkWrite(named(`p_${name}`, `p${caller}`), inTime);
      expect(kept).toContain(durability);
      own.push(`a_${name}`, `p_${name}`);
    }
    return own;
  });
  const sent = await Promise.all(callers).finally(() => stop.abort());
  await jumping;

  await expect
    .poll(async () => (await rows()).filter(({ position }) => position !== null).length, { timeout: 20_000 })
    .toBe(200);
  const stored = await rows();
  expect(stored.filter(({ partition, month }) => partition !== month)).toEqual([]);
  expect(new Set(stored.map(({ month }) => month))).toEqual(new Set(["2026_11", "2026_12"]));
  const inExport = await exported();
  const positions = inExport.map(({ position }) => position).toSorted((a, b) => a - b);
  const noticed = await service.database.query<{ position: number }>(
    "superuser",
    "select position::int as position from log.entry where source not in ('a', 'c')",
  );
  const others = new Set(noticed.map(({ position }) => position));
  const head = 200 + others.size;
  expect(positions).toEqual(
    Array.from({ length: head }, (_, i) => i + 1).filter((position) => !others.has(position)),
  );
  const positionOf = new Map(inExport.map(({ name, position }) => [name, position]));
  for (const own of sent) {
    for (const prefix of ["a_", "p_"]) {
      const places = own.filter((name) => name.startsWith(prefix)).map((name) => positionOf.get(name) ?? 0);
      expect(places, "the order of one caller's calls, whatever the clock said").toEqual(
        places.toSorted((a, b) => a - b),
      );
    }
  }
});

test.each([
  ["on", anHourOn, "2026_12"],
  ["back", anHourBack, "2026_11"],
])(
  "calls that wait for the database keep their time while the clock jumps an hour %s, and what is buffered drains",
  async (_, to, later) => {
    const holder = new Client({ connectionString: service.database.url("superuser") });
    await holder.connect();
    try {
      await holder.query(
        "begin; lock table ledger.user_action, auditor.parameter_change in access exclusive mode",
      );
      const startedMs = performance.now();
      const answers = Promise.all([
        bot.recordUserAction(action("held"), inTime),
        configStore.checkWrite(named("held"), inTime),
      ]);
      const waiting =
        "select from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())";
      while ((await holder.query(waiting)).rowCount === 0) await sleep(5);
      clock.set(to);
      const [{ outcome }, { durability, allowed }] = await answers;
      expect([outcome, durability, allowed]).toEqual([RecordOutcome.BUFFERED, Durability.BUFFERED, true]);
      expect(performance.now() - startedMs).toBeLessThan(inTime.timeoutMs);
    } finally {
      await holder.end();
    }
    const { outcome } = await bot.recordUserAction(action("later"), inTime);
    expect(recorded).toContain(outcome);
    await expect
      .poll(async () => (await rows()).filter(({ position }) => position !== null).length, {
        timeout: 20_000,
      })
      .toBe(3);
    expect((await rows()).map(({ name, partition, month }) => [name, partition, month]).toSorted()).toEqual([
      ["held", "2026_11", "2026_11"],
      ["held", "2026_11", "2026_11"],
      ["later", later, later],
    ]);
    await expect
      .poll(() => service.database.query("superuser", "select count(*)::int as outages from log.recovery"), {
        timeout: 20_000,
      })
      .toEqual([{ outages: 2 }]);
  },
);

test("an event that is sent again after the clock came to another month is the same event", async () => {
  await bot.recordUserAction(action("again"), inTime);
  await configStore.checkWrite(write("again", { writeId: "again" }), inTime);
  for (const time of [anHourOn, november, anHourBack]) {
    clock.set(time);
    const { outcome } = await bot.recordUserAction(action("again"), inTime);
    expect([RecordOutcome.DUPLICATE, RecordOutcome.BUFFERED]).toContain(outcome);
    const { replayed, durability } = await configStore.checkWrite(
      write("again", { writeId: "again" }),
      inTime,
    );
    expect(replayed || durability === Durability.BUFFERED).toBe(true);
  }
  expect((await exported()).map(({ position }) => position).toSorted()).toEqual([1, 2]);
});
