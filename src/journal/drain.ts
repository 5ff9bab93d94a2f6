import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";
import { attempt, commit, isLostRace, isRefusal, type Write } from "./commit.ts";
import type { Entry } from "./spool/entry.ts";
import type { SettledEntry } from "./spool/spoolFile.ts";
import { rowOf, type Spooling } from "./spooled.ts";
import type { JournalTrace } from "./trace.ts";
import type { Writer } from "./writer.ts";

/** Brings what waits in the spool to the database, in order, each record once; and notices when it is back. */
export type Drain = {
  /** Says that records wait, or that the database failed. */
  wake(): void;
  close(): Promise<void>;
};

/** row: undefined when the entry is as it was written, and is no record of this version. */
type Waiting<Row> = { readonly entry: Entry; readonly row: Row | undefined };
const unreadable = new Error("unreadable");

/** What log.settled keeps of a record whose key was taken. */
type Note = {
  readonly became: "FOLDED" | "CONFLICT";
  readonly recordId: string;
  readonly firstRecordId: string;
};
const becomes = { folded: "FOLDED", conflicting: "CONFLICT" } as const;

/** Nobody else's call waits for longer than these take to be read. */
const batchRows = 250;
/** While others write, whose calls share the cores with it. */
const gentleRows = 50;
/** What the database has for a batch of the drain. */
export const drainBudgetMs = 5_000;
const probeBudgetMs = 1_000;
const pauseAtFirstMs = 50;
const pauseMaxMs = 1_000;

export function createDrain<Row, Outcome>(options: {
  readonly of: Write<Row, Outcome>;
  readonly spooling: Spooling<Row, Outcome>;
  /** Of its own: what is written now does not wait for what is drained. */
  readonly writer: Writer;
  /** Whether others write. */
  readonly isBusy: () => boolean;
  /** The database answers. */
  readonly onBack: () => void;
  /** Nothing of the journal waits any more. */
  readonly onEmpty: () => Promise<void>;
  /** Records that were drained now have their place in the database. */
  readonly onDrained: () => void;
  readonly trace?: JournalTrace | undefined;
  readonly log: Logger;
}): Drain {
  const { of, spooling, writer, trace, log } = options;
  const { spool, behind } = spooling;
  const closing = new AbortController();
  let running: Promise<void> | undefined;
  let wanted = false;
  /** The next batch, read while one is written. */
  let ahead: Promise<readonly Waiting<Row>[]> | undefined;
  let waitedBefore = Number.POSITIVE_INFINITY;
  let isGentle = false;
  /** The batch that was written last leaves the spool while the next one is written. */
  let leaving: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    let pauseMs = pauseAtFirstMs;
    while (wanted && !closing.signal.aborted) {
      wanted = false;
      try {
        const started = performance.now();
        if (await step()) {
          pauseMs = pauseAtFirstMs;
          if (isGentle) await pause(performance.now() - started);
          continue;
        }
      } catch (cause) {
        log.debug({ journal: of.name, code: sqlState(cause) }, "the spool cannot be drained yet");
      }
      if (wanted) {
        await pause(pauseMs);
        pauseMs = Math.min(pauseMaxMs, pauseMs * 2);
      }
    }
    running = undefined;
  }

  async function pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: closing.signal }).catch(() => undefined);
  }

  /** Others are spared as long as the spool gets emptier all the same. */
  function spareOthers(): void {
    const waiting = spool.waiting(of.name);
    isGentle = waiting < waitedBefore && options.isBusy();
    waitedBefore = waiting;
  }

  /** Drains one batch; whether to go on at once. */
  async function step(): Promise<boolean> {
    wanted = true; // Until nothing is left.
    spareOthers();
    const found = ahead;
    ahead = undefined;
    let entries = (await found) ?? [];
    // What has come since it was read is not in it.
    if (entries.length === 0) entries = await take(0);
    if (entries.length === 0) {
      await left();
      if (spool.waiting(of.name) > 0) return false; // Of another journal something comes first.
      await attempt(writer, probeBudgetMs, (client) => client.query("select 1"));
      options.onBack();
      await options.onEmpty();
      wanted = spool.waiting(of.name) > 0;
      if (!wanted) await writer.close(); // Nobody keeps a connection for the next outage.
      return wanted;
    }
    const next = take(entries.at(-1)?.entry.seq ?? 0);
    const allSettled = await (trace === undefined
      ? settle(entries)
      : trace.drain(entries.length, () => settle(entries)));
    options.onDrained();
    // What stays comes first again, with everything behind it.
    if (allSettled) ahead = next;
    return allSettled;
  }

  function take(after: number): Promise<readonly Waiting<Row>[]> {
    const taken = spool.take(of.name, isGentle ? gentleRows : batchRows, behind, after).then(withRows);
    taken.catch(() => undefined); // Who waits for it is told.
    return taken;
  }

  /** Resolves once what was written has left the spool; throws when it could not, and is drained again then. */
  async function left(): Promise<void> {
    const last = leaving;
    leaving = Promise.resolve();
    await last;
  }

  function withRows(entries: readonly Entry[]): Waiting<Row>[] {
    return entries.map((entry) => ({ entry, row: rowOf(entry, spooling) }));
  }

  /** Whether all of them left the spool, or stay in it for good. */
  async function settle(entries: readonly Waiting<Row>[]): Promise<boolean> {
    try {
      return await write(entries);
    } catch (cause) {
      if (cause === unreadable) return refuseOne(entries, unreadable.message);
      if (!isRefusal(cause) || isLostRace(cause)) throw cause;
      options.onBack();
      return refuseOne(entries, sqlState(cause) ?? "unknown");
    }
  }

  async function write(entries: readonly Waiting<Row>[]): Promise<boolean> {
    const rows = entries.map(({ row }) => {
      if (row === undefined) throw unreadable;
      return row;
    });
    const outcomes = await commit(of, writer, rows, drainBudgetMs);
    options.onBack();
    const settled: SettledEntry[] = [];
    const gone: Entry[] = [];
    const again: Row[] = [];
    const notes: Note[] = [];
    for (const [i, { entry }] of entries.entries()) {
      const row = rows[i];
      if (row === undefined || i >= outcomes.length) throw new Error("the database answered for fewer rows");
      const done = spooling.settle(row, outcomes[i] as Outcome);
      if (done === undefined) continue;
      settled.push({ seq: entry.seq, as: done.as });
      gone.push(entry);
      if (done.as === "flushed") continue;
      if (done.again !== undefined) again.push(done.again);
      if (done.ids !== undefined) notes.push({ became: becomes[done.as], ...done.ids });
    }
    if (again.length > 0) await commit(of, writer, again, drainBudgetMs);
    if (notes.length > 0) await note(notes);
    await left();
    leaving = spool.settle(gone, settled);
    leaving.catch(() => undefined); // As above.
    return settled.length === entries.length;
  }

  /** Halves the batch until the record is alone that cannot be drained; its neighbours are. */
  async function refuseOne(entries: readonly Waiting<Row>[], code: string): Promise<boolean> {
    const [one] = entries;
    if (entries.length === 1 && one !== undefined) {
      await spool.refuse(one.entry, code);
      log.error(
        { journal: of.name, seq: one.entry.seq, code },
        "a spooled record is refused for what it is; it stays in the spool, see `governance spool show`",
      );
      return true;
    }
    const half = Math.ceil(entries.length / 2);
    const first = await settle(entries.slice(0, half));
    return (await settle(entries.slice(half))) && first;
  }

  async function note(notes: readonly Note[]): Promise<void> {
    const text = `insert into log.settled (record_id, became, first_record_id, settled_at)
      select record_id, became, first_record_id, now()
      from unnest($1::text[], $2::text[], $3::text[]) as i (record_id, became, first_record_id)
      on conflict do nothing`;
    const values = [
      notes.map(({ recordId }) => recordId),
      notes.map(({ became }) => became),
      notes.map(({ firstRecordId }) => firstRecordId),
    ];
    await attempt(writer, drainBudgetMs, (client) => client.query(text, values));
    for (const { became, recordId, firstRecordId } of notes) {
      if (became === "CONFLICT")
        log.warn({ journal: of.name, recordId, firstRecordId }, "a spooled record's key has other content");
    }
  }

  return {
    wake() {
      wanted = true;
      running ??= run();
    },
    async close() {
      closing.abort();
      writer.abandon();
      await running;
    },
  };
}
