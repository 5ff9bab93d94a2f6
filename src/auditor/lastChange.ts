import type pg from "pg";
import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";
import { repeat } from "../repeat.ts";

const pollEveryMs = 5_000;

/** When a change was last recorded, by any replica (spec 002 §27). Disposing stops it. */
export type LastChange = AsyncDisposable & {
  /** Microseconds; undefined when none is known. */
  atMicros(): number | undefined;
  /** Says that this replica recorded one. */
  recorded(row: { readonly acceptedMicros: number }): void;
  /** Reads it now. */
  load(queries: Pick<pg.ClientBase, "query">): Promise<void>;
};

/** While the database is away, what was known last counts. */
export function followLastChange(pool: pg.Pool, log: Logger): LastChange {
  let known: number | undefined;

  function recorded({ acceptedMicros }: { readonly acceptedMicros: number }): void {
    known = Math.max(known ?? 0, acceptedMicros);
  }

  async function load(queries: Pick<pg.ClientBase, "query">): Promise<void> {
    const { rows } = await queries.query<{ accepted_micros: string }>(latest);
    for (const row of rows) recorded({ acceptedMicros: Number(row.accepted_micros) });
  }

  const polling = repeat(pollEveryMs, () =>
    load(pool).catch((cause: unknown) =>
      log.debug({ code: sqlState(cause) }, "the last change could not be read; it is tried again"),
    ),
  );
  return {
    atMicros: () => known,
    recorded,
    load,
    [Symbol.asyncDispose]: () => polling[Symbol.asyncDispose](),
  };
}

/** One step into an index of each of the last months' partitions: what is older is too old anyway. */
const latest = {
  name: "auditor.last_change",
  text: `select (extract(epoch from accepted_at) * 1000000)::bigint::text as accepted_micros
    from auditor.parameter_change where accepted_at >= date_trunc('month', now() - interval '1 day')
    order by epoch desc, xid desc, ord desc limit 1`,
};
