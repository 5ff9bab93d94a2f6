import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";
import { attempt, commit, isLostRace, isRefusal, type Write } from "./commit.ts";
import type { Entry } from "./spool/entry.ts";
import type { SettledEntry } from "./spool/spoolFile.ts";
import { rowOf, type Spooling, Unreadable } from "./spooled.ts";
import type { JournalTrace } from "./trace.ts";
import type { Writer } from "./writer.ts";

/** Brings what waits in the spool to the database, in order, each record once; and notices when it is back. */
export type Drain = {
  /** Says that records wait, or that the database failed. */
  wake(): void;
  close(): Promise<void>;
};

/** What log.settled keeps of a record whose key was taken. */
type Note = {
  readonly became: "FOLDED" | "CONFLICT";
  readonly recordId: string;
  readonly firstRecordId: string;
};
const becomes = { folded: "FOLDED", conflicting: "CONFLICT" } as const;

/** Nobody else's call waits for longer than these take to be read. */
const batchRows = 250;
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
  let ahead: Promise<readonly Entry[]> | undefined;
  /** The batch that was written last leaves the spool while the next one is written. */
  let leaving: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    let pauseMs = pauseAtFirstMs;
    while (wanted && !closing.signal.aborted) {
      wanted = false;
      try {
        if (await step()) {
          pauseMs = pauseAtFirstMs;
          continue;
        }
      } catch (cause) {
        log.debug({ journal: of.name, code: sqlState(cause) }, "the spool cannot be drained yet");
      }
      if (wanted) {
        await sleep(pauseMs, undefined, { signal: closing.signal }).catch(() => undefined);
        pauseMs = Math.min(pauseMaxMs, pauseMs * 2);
      }
    }
    running = undefined;
  }

  /** Drains one batch; whether to go on at once. */
  async function step(): Promise<boolean> {
    wanted = true; // Until nothing is left.
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
    const next = take(entries.at(-1)?.seq ?? 0);
    const allSettled = await (trace === undefined
      ? settle(entries)
      : trace.drain(entries.length, () => settle(entries)));
    options.onDrained();
    // What stays comes first again, with everything behind it.
    if (allSettled) ahead = next;
    return allSettled;
  }

  function take(after: number): Promise<readonly Entry[]> {
    const taken = spool.take(of.name, batchRows, behind, after);
    taken.catch(() => undefined); // Who waits for it is told.
    return taken;
  }

  /** Resolves once what was written has left the spool; throws when it could not, and is drained again then. */
  async function left(): Promise<void> {
    const last = leaving;
    leaving = Promise.resolve();
    await last;
  }

  /** Whether all of them left the spool, or stay in it for good. */
  async function settle(entries: readonly Entry[]): Promise<boolean> {
    try {
      return await write(entries);
    } catch (cause) {
      if (cause instanceof Unreadable) return refuseOne(entries, cause.message);
      if (!isRefusal(cause) || isLostRace(cause)) throw cause;
      options.onBack();
      return refuseOne(entries, sqlState(cause) ?? "unknown");
    }
  }

  async function write(entries: readonly Entry[]): Promise<boolean> {
    const rows = entries.map((entry) => rowOf(entry, spooling));
    const outcomes = await commit(of, writer, rows, drainBudgetMs);
    options.onBack();
    const settled: SettledEntry[] = [];
    const gone: Entry[] = [];
    const again: Row[] = [];
    const notes: Note[] = [];
    for (const [i, entry] of entries.entries()) {
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
  async function refuseOne(entries: readonly Entry[], code: string): Promise<boolean> {
    const [entry] = entries;
    if (entries.length === 1 && entry !== undefined) {
      await spool.refuse(entry, code);
      log.error(
        { journal: of.name, seq: entry.seq, code },
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
