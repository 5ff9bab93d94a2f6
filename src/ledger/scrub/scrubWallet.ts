import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { heldWallet } from "../../retention/holds.ts";
import { textOfMicros } from "../../time.ts";
import { digitsOf } from "../identity.ts";
import type { NotedScrub } from "./receiptsFile.ts";
import { rewriteRows } from "./rewriteRows.ts";
import { type ScrubbedTable, scrubbedTables } from "./tables.ts";

/** A closing that asked for a scrub. */
export type Closing = {
  readonly recordId: string;
  readonly identity: string;
  /** 0x and 40 digits; what stands for it once it was scrubbed. */
  readonly wallet: string;
};

/** What is left of a scrub besides its receipt. */
export type Scrubbed = { readonly kind: "scrubbed"; readonly receiptId: string; readonly records: number };

/** The wallet has to wait: a legal hold in force covers records of it. */
export type Held = { readonly kind: "held" };

type ScrubOptions = {
  readonly receiptId: string;
  readonly nowMicros: number;
  readonly signal: AbortSignal;
  /** Called before the scrub is committed. */
  readonly note: (scrub: NotedScrub) => Promise<void>;
};

const waitMs = 10;

/**
 * Puts what stands for a closed wallet in its place wherever it is on record (R11), and leaves a receipt.
 * The client is the administrator's. Can be begun again wherever it broke off.
 */
export async function scrubWallet(
  client: pg.ClientBase,
  closing: Closing,
  options: ScrubOptions,
): Promise<Scrubbed | Held> {
  if (await heldWallet(client, closing.wallet, closing.identity)) return { kind: "held" };
  await closeWallet(client, closing.identity, options.nowMicros);
  await writersDone(client, options.signal);
  return rewrite(client, closing, options);
}

/** From its commit on nothing of the wallet is written any more. */
async function closeWallet(client: pg.ClientBase, identity: string, nowMicros: number): Promise<void> {
  await inTransaction(client, async () => {
    await client.query("set local role governance_owner");
    await client.query(
      "insert into ledger.closed_wallet (identity, closed_at) values ($1, $2) on conflict do nothing",
      [identity, textOfMicros(nowMicros)],
    );
  });
}

/**
 * Waits for the batches that looked before the wallet was closed: each holds a shared lock from then to its
 * commit. They are waited for by name, so that nobody else waits behind us.
 */
async function writersDone(client: pg.ClientBase, signal: AbortSignal): Promise<void> {
  let before: readonly string[] | undefined;
  for (;;) {
    const { rows } = await client.query<{ writer: string }>(
      `select virtualtransaction as writer from pg_locks
       where locktype = 'advisory' and granted and objsubid = 1
         and database = (select oid from pg_database where datname = current_database())
         and (classid::bigint << 32 | objid::bigint) = hashtextextended('governance.closed_wallet', 0)`,
    );
    const writing = new Set(rows.map((row) => row.writer));
    before = before === undefined ? [...writing] : before.filter((writer) => writing.has(writer));
    if (before.length === 0) return;
    await sleep(waitMs, undefined, { signal });
  }
}

async function rewrite(
  client: pg.ClientBase,
  closing: Closing,
  { receiptId, nowMicros, note }: ScrubOptions,
): Promise<Scrubbed | Held> {
  const { identity, recordId } = closing;
  const wallet = digitsOf(closing.wallet);
  return inTransaction(client, async () => {
    // As the owner from here on, and past the triggers that keep every table append-only.
    await client.query("set local role governance_owner");
    await client.query("set local governance.maintenance = 'on'");
    await client.query("set constraints all deferred");
    // Statistics are of yesterday's sizes; each condition has its index.
    await client.query("set local enable_seqscan = off");
    await client.query("set local enable_hashjoin = off");
    await client.query("set local enable_mergejoin = off");
    if (await heldWallet(client, closing.wallet, identity)) return { kind: "held" };

    const tables = await scrubbedTables(client);
    const replacements = new Map([[wallet, identity]]);
    const counts: Record<string, number> = {};
    const rewriteAll = async (chosen: readonly ScrubbedTable[]) => {
      for (const table of chosen) {
        const rows = await rewriteRows(client, table, wallet, replacements);
        if (rows > 0) counts[table.name.replaceAll('"', "")] = rows;
      }
    };
    await rewriteAll(tables.filter((table) => !table.isDerived));
    // What follows from records is made by one caller at a time, who waits here and then reads them rewritten.
    await client.query("select from log.state for update");
    await rewriteAll(tables.filter((table) => table.isDerived));
    await forgetSamples(client, wallet);

    const records = Object.entries(counts)
      .filter(([name]) => isRecord.test(name))
      .reduce((sum, [, rows]) => sum + rows, 0);
    await client.query(
      `insert into ledger.erasure
         (receipt_id, identity, record_id, asked_by, asked_at, scrubbed_at, records, tables_json, key_id)
       select $1, $2, record_id, asked_by, closed_at, $4, $5, $6, $7 from ledger.closing where record_id = $3`,
      [
        receiptId,
        identity,
        recordId,
        textOfMicros(nowMicros),
        records,
        JSON.stringify(counts),
        identity.split(":")[1],
      ],
    );
    await client.query("select maintenance.note_rewrite('scrub', 'account closed', null, $1)", [identity]);
    await note({ scrubbedAt: textOfMicros(nowMicros), receiptId, identity });
    return { kind: "scrubbed", receiptId, records };
  });
}

/** Tables of records, their months detached or not; the others hold keys, closings and calls that read. */
const isRecord = /[._](user_action|fill_report|fill_link|session_gap|conflict)(_\d{4}_\d\d(_\d+)?)?$/;

/** The planner's samples of a table hold values as they were; a new sample has them as they are. */
async function forgetSamples(client: pg.ClientBase, wallet: string): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select distinct format('%I.%I', coalesce(tn.nspname, s.schemaname), coalesce(t.relname, s.tablename)) as name
     from pg_stats s
     left join pg_index i on i.indexrelid = to_regclass(format('%I.%I', s.schemaname, s.tablename))
     left join pg_class t on t.oid = i.indrelid
     left join pg_namespace tn on tn.oid = t.relnamespace
     where s.schemaname !~ '^pg_' and s.schemaname <> 'information_schema'
       and concat(s.most_common_vals::text, s.histogram_bounds::text, s.most_common_elems::text) ~* $1`,
    [wallet],
  );
  for (const { name } of rows) await client.query(`analyze ${name}`);
}

async function inTransaction<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query("begin");
  try {
    const result = await work();
    await client.query("commit");
    return result;
  } catch (cause) {
    await client.query("rollback").catch(() => undefined); // The cause says more than a failed rollback.
    throw cause;
  }
}
