import type pg from "pg";
import { read } from "../db/read.ts";
import { Failure } from "../server/failure.ts";

/** A stretch of the log: an epoch, its last position, and the epoch that came after it, if one did. */
export type Epoch = { readonly epoch: number; readonly last: number; readonly next: number | undefined };

/** This epoch, or the last before it where this database never had it. Throws STORE_UNAVAILABLE. */
export async function readEpoch(pool: pg.Pool, epoch: number): Promise<Epoch> {
  const [row] = await read<{ epoch: number; last: string; next: number | null }>(pool, {
    name: "log.epoch",
    text: `select e.epoch, coalesce(n.previous_position, s.next_position - 1)::text as last, n.epoch as next
      from log.state s cross join log.epoch e left join log.epoch n on n.previous_epoch = e.epoch
      where e.epoch <= greatest($1::int, (select min(epoch) from log.epoch)) order by e.epoch desc limit 1`,
    values: [epoch],
  });
  if (row === undefined) throw new Error("the log has no epoch");
  return { epoch: row.epoch, last: Number(row.last), next: row.next ?? undefined };
}

/** For a reader beyond what this database has: behind which of its positions to go on. */
export function epochChanged({ epoch, last }: Epoch): Failure {
  return new Failure(
    "LOG_EPOCH_CHANGED",
    `the log went on from another place: drop what you have behind position ${last} of epoch ${epoch}, and go on after it (${epoch}:${last})`,
    { metadata: { epoch: `${epoch}`, position: `${last}` } },
  );
}
