import type pg from "pg";
import type { PurgeRun, PurgeStep } from "../../gen/ts/polytraders/governance/v1/retention_pb.ts";
import { read } from "../db/read.ts";
import { textOfDay, timestampOfMicros } from "../time.ts";

/** What became of one month of one table. */
export type Step = {
  readonly table: string;
  /** YYYY-MM. */
  readonly month: string;
  readonly action: "DETACHED" | "DROPPED" | "KEPT";
  readonly records: number;
  readonly heldRecords: number;
  /** Days since 1970-01-01. */
  readonly untilDay: number;
};

/** A run of the purge. Times are microseconds. */
export type Run = {
  /** Empty for a dry run. */
  readonly runId: string;
  readonly isDry: boolean;
  readonly startedMicros: number;
  readonly endedMicros: number | undefined;
  readonly startedBy: string;
  readonly steps: readonly Step[];
};

type Queryable = Pick<pg.ClientBase, "query">;

const timeOf = (parameter: string) => `timestamptz 'epoch' + ${parameter}::bigint * interval '1 microsecond'`;

/** Records that a run began. */
export async function recordStart(client: Queryable, run: Run): Promise<void> {
  await client.query(
    `insert into maintenance.purge_run (run_id, started_at, started_by) values ($1, ${timeOf("$2")}, $3)`,
    [run.runId, run.startedMicros, run.startedBy],
  );
}

/** Records a step, in the transaction that takes it. */
export async function recordStep(
  client: Queryable,
  runId: string,
  step: Step,
  atMicros: number,
): Promise<void> {
  await client.query(
    `insert into maintenance.purge_step (run_id, at, table_name, month, action, records, held_records, retained_until)
     values ($1, ${timeOf("$2")}, $3, $4::date, $5, $6::bigint, $7::bigint, $8::date)`,
    [
      runId,
      atMicros,
      step.table,
      `${step.month}-01`,
      step.action,
      step.records,
      step.heldRecords,
      textOfDay(step.untilDay),
    ],
  );
}

/** Records that a run has done all it could. */
export async function recordEnd(client: Queryable, runId: string, atMicros: number): Promise<void> {
  await client.query(`insert into maintenance.purge_end (run_id, ended_at) values ($1, ${timeOf("$2")})`, [
    runId,
    atMicros,
  ]);
}

/** Whether a run ended in the day before now, microseconds. */
export async function endedToday(client: Queryable, nowMicros: number): Promise<boolean> {
  const { rows } = await client.query<{ ended: boolean }>(
    `select exists (select from maintenance.purge_end
       where ended_at > ${timeOf("$1")} - interval '24 hours' and ended_at <= ${timeOf("$1")} + interval '1 hour') as ended`,
    [nowMicros],
  );
  return rows[0]?.ended ?? false;
}

type Row = {
  seq: string;
  run_id: string;
  started_micros: string;
  started_by: string;
  ended_micros: string | null;
  steps: {
    table: string;
    month: string;
    action: Step["action"];
    records: number;
    held: number;
    until: number;
  }[];
};

const micros = (column: string) => `(extract(epoch from ${column}) * 1000000)::bigint::text`;

/** Runs, newest first, older than the one of that seq. Throws STORE_UNAVAILABLE. */
export async function readRuns(
  pool: pg.Pool,
  page: { readonly before: string | null; readonly limit: number },
): Promise<readonly { readonly seq: string; readonly run: Run }[]> {
  const rows = await read<Row>(pool, {
    text: `select r.seq::text as seq, r.run_id, ${micros("r.started_at")} as started_micros, r.started_by,
        ${micros("e.ended_at")} as ended_micros,
        coalesce((
          select json_agg(json_build_object('table', s.table_name, 'month', to_char(s.month, 'YYYY-MM'),
            'action', s.action, 'records', s.records, 'held', s.held_records,
            'until', s.retained_until - date '1970-01-01') order by s.seq)
          from maintenance.purge_step s where s.run_id = r.run_id), '[]'::json) as steps
      from maintenance.purge_run r left join maintenance.purge_end e on e.run_id = r.run_id
      where ($1::bigint is null or r.seq < $1) order by r.seq desc limit $2`,
    values: [page.before, page.limit],
  });
  return rows.map((row) => ({
    seq: row.seq,
    run: {
      runId: row.run_id,
      isDry: false,
      startedMicros: Number(row.started_micros),
      endedMicros: row.ended_micros === null ? undefined : Number(row.ended_micros),
      startedBy: row.started_by,
      steps: row.steps.map(({ table, month, action, records, held, until }) => ({
        table,
        month,
        action,
        records,
        heldRecords: held,
        untilDay: until,
      })),
    },
  }));
}

/** A run as the contract has it. */
export function purgeRun(run: Run): PurgeRun {
  return {
    $typeName: "polytraders.governance.v1.PurgeRun",
    runId: run.runId,
    dryRun: run.isDry,
    startedAt: timestampOfMicros(run.startedMicros),
    ...(run.endedMicros === undefined ? {} : { endedAt: timestampOfMicros(run.endedMicros) }),
    startedBy: run.startedBy,
    steps: run.steps.map(purgeStep),
  };
}

function purgeStep(step: Step): PurgeStep {
  return {
    $typeName: "polytraders.governance.v1.PurgeStep",
    table: step.table,
    month: step.month,
    action: step.action,
    records: BigInt(step.records),
    heldRecords: BigInt(step.heldRecords),
    retainedUntil: textOfDay(step.untilDay),
  };
}
