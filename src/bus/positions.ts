import type pg from "pg";

/** How far a stream was read: its last message that is done with. 0: none yet. */
export type SourcePosition = {
  readonly created: string;
  readonly sequence: number;
  /** When the bus took that message, milliseconds; null at 0. */
  readonly messageMs: number | null;
};

/** Which stream is read, and as what. */
export type SourceKey = { readonly source: string; readonly stream: string };

type Client = Pick<pg.ClientBase, "query">;

/** Where to go on reading; a stream that is met for the first time is begun. */
export async function readSourcePosition(
  client: Client,
  { source, stream }: SourceKey,
  created: string,
): Promise<SourcePosition> {
  await client.query(
    `insert into log.bus_source (source, stream, created, sequence) values ($1, $2, $3, 0) on conflict do nothing`,
    [source, stream, created],
  );
  const { rows } = await client.query<{ created: string; sequence: string; message_ms: string | null }>(
    `select created, sequence::text as sequence, message_ms::text as message_ms
     from log.bus_source where source = $1 and stream = $2`,
    [source, stream],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("the position in the stream of the bus is gone");
  const messageMs = row.message_ms === null ? null : Number(row.message_ms);
  return { created: row.created, sequence: Number(row.sequence), messageMs };
}

/** Moves the position, as part of the transaction under way. Throws PositionMoved when it is not at `from`. */
export async function moveSourcePosition(
  client: Client,
  { source, stream }: SourceKey,
  from: SourcePosition,
  to: SourcePosition,
): Promise<void> {
  const { rowCount } = await client.query({
    name: "bus.moveSource",
    text: `update log.bus_source set created = $5, sequence = $6, message_ms = $7, moved_at = now()
           where source = $1 and stream = $2 and created = $3 and sequence = $4`,
    values: [source, stream, from.created, from.sequence, to.created, to.sequence, to.messageMs],
  });
  if (rowCount !== 1) throw new PositionMoved();
}

/** Another replica has gone on from this position: what was to be committed with it must not be. */
export class PositionMoved extends Error {
  constructor() {
    super("another replica goes on with this stream");
  }
}

/** A place in the log. */
export type ReportsPlace = { readonly epoch: number; readonly position: number };

/** How far the log is published to the stream; one that is met for the first time is begun. */
export async function readReportsPlace(
  client: Client,
  stream: string,
  from: "beginning" | "now",
): Promise<ReportsPlace> {
  await client.query(
    `insert into log.bus_reports (stream, epoch, position)
     select $1, case when $2 then s.epoch else coalesce((select min(epoch) from log.entry), s.epoch) end,
       case when $2 then s.next_position - 1 else 0 end
     from log.state s on conflict do nothing`,
    [stream, from === "now"],
  );
  const { rows } = await client.query<{ epoch: number; position: string }>(
    `select epoch, position::text as position from log.bus_reports where stream = $1`,
    [stream],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("the place of the published reports is gone");
  return { epoch: row.epoch, position: Number(row.position) };
}

/** Notes that everything up to `to` was published. Throws PositionMoved when the place is not `from`. */
export async function moveReportsPlace(
  client: Client,
  stream: string,
  from: ReportsPlace,
  to: ReportsPlace,
): Promise<void> {
  const { rowCount } = await client.query({
    name: "bus.moveReports",
    text: `update log.bus_reports set epoch = $4, position = $5, moved_at = now()
           where stream = $1 and epoch = $2 and position = $3`,
    values: [stream, from.epoch, from.position, to.epoch, to.position],
  });
  if (rowCount !== 1) throw new PositionMoved();
}

/** How much of the log is behind the place, of its epoch; and the epoch that came after it, if one did. */
export async function readAhead(
  client: Client,
  { epoch, position }: ReportsPlace,
): Promise<{ readonly records: number; readonly nextEpoch: number | undefined }> {
  const { rows } = await client.query<{ records: string; next_epoch: number | null }>({
    name: "bus.ahead",
    text: `select greatest(0, coalesce(
             (select e.position from log.entry e where e.epoch = $1 order by e.position desc limit 1), 0) - $2)::text as records,
           case when s.epoch <> $1 then
             coalesce((select e.epoch from log.entry e where e.epoch > $1 order by e.epoch limit 1), s.epoch)
           end as next_epoch
           from log.state s`,
    values: [epoch, position],
  });
  const [row] = rows;
  return { records: Number(row?.records ?? 0), nextEpoch: row?.next_epoch ?? undefined };
}
