import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { read } from "../db/read.ts";
import { Failure } from "../server/failure.ts";

/** What takes records out of a reader's sight or changes them while it reads the log in pieces. */
export type Rewrites = {
  /** How many there were, to compare with later; a decimal string. Ask before the first piece. */
  mark(): Promise<string>;
  /** Throws EXPORT_CHANGED when one came since the mark that concerns the reader. */
  refuseSince(mark: string): Promise<void>;
};

/** What a reader reads. */
export type Reading = {
  /** The tables whose months, once purged, it would miss. */
  readonly tables: readonly string[];
  /** Whose scrub changes its records: anybody's, one account's by what stands for its wallet, or nobody's. */
  readonly scrubs: "any" | "none" | { readonly identity: string };
  /** Accepted at or after, microseconds; null: no bound. */
  readonly fromMicros: bigint | null;
  /** Accepted before, microseconds; null: no bound. */
  readonly toMicros: bigint | null;
};

/** A month goes out of sight in milliseconds. */
const askAgainMs = 20;

export function rewritesOf(pool: pg.Pool, reading: Reading): Rewrites {
  const { tables, scrubs, fromMicros, toMicros } = reading;
  return {
    async mark() {
      for (;;) {
        const [row] = await read<{ mark: string | null }>(pool, {
          name: "log.rewriteMark",
          text: "select maintenance.rewrite_mark()::text as mark",
        });
        if (row !== undefined && row.mark !== null) return row.mark;
        await sleep(askAgainMs);
      }
    },

    async refuseSince(mark) {
      const [row] = await read<{ kind: string }>(pool, {
        name: "log.rewrittenSince",
        text: `select kind from maintenance.rewrite where seq > $1::bigint and (
            kind = 'scrub' and ($2 or identity = $3)
            or kind = 'purge' and replace(what, 'detaching ', '') = any ($4::text[])
              and ($5::bigint is null or timestamptz 'epoch' + $5 * interval '1 microsecond' < ${startOf("1 month")})
              and ($6::bigint is null or timestamptz 'epoch' + $6 * interval '1 microsecond' > ${startOf("0")})
          ) limit 1`,
        values: [
          mark,
          scrubs === "any",
          typeof scrubs === "string" ? null : scrubs.identity,
          tables,
          fromMicros,
          toMicros,
        ],
      });
      if (row === undefined) return;
      const what = row.kind === "scrub" ? "an account was scrubbed" : "records were purged";
      throw new Failure("EXPORT_CHANGED", `${what} since the export began; start it again`);
    },
  };
}

/** A purged month's first moment, moved on. */
function startOf(interval: string): string {
  return `((month + interval '${interval}')::timestamp at time zone 'UTC')`;
}
