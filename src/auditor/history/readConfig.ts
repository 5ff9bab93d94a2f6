import type pg from "pg";
import { read } from "../../db/read.ts";
import type { LogHead } from "../../log/sequencer.ts";
import { Failure } from "../../server/failure.ts";

/** Which configuration is asked for. */
export type ConfigQuestion = {
  /** The bot's name as it compares (R24). */
  readonly botKey: string;
  /** By which time writes count and are ordered: the service's, or the one their callers claim. */
  readonly basis: "ACCEPTED" | "CHANGED";
  /** Writes up to this time, nanoseconds since 1970; null: now. */
  readonly throughNs: bigint | null;
  /** Writes that carry another environment do not count; null: all do. */
  readonly environment: string | null;
  /** Only what lies below this horizon of the log, confirmations too. */
  readonly through: LogHead;
  /** Names and values together, at most. */
  readonly maxBytes: number;
};

/** A parameter's value in force. */
export type ValueInForce = {
  readonly paramKey: string;
  /** As the write in force named it. */
  readonly paramName: string;
  readonly valueText: string;
  readonly decisionId: string;
  readonly acceptedMicros: number;
  /** Nobody said that the write was applied. */
  readonly unconfirmed: boolean;
};

/**
 * A write counts when it was allowed and is not known to have been aborted, whenever that became known: an
 * aborted write never was.
 */
const counts = `c.bot_key = $1::text and c.allowed and (c.epoch, c.xid) < ($2::int, $3::text::xid8)
  and ($4::text is null or c.environment is null or c.environment = $4::text)`;

/** The outcome on record of the write c; its month is that of the decision. */
const outcome = `(select w.outcome from auditor.confirmation w
  where w.decided_at = c.accepted_at and w.decision_id = c.record_id
    and (w.epoch, w.xid) < ($2::int, $3::text::xid8))`;

/** No bound where the time is absent: another replica's clock may be ahead of this one's. */
const acceptedInTime = `c.accepted_at <=
  coalesce(timestamptz 'epoch' + $5::bigint * interval '1 microsecond', timestamptz 'infinity')`;

/** The last write of each parameter, by one descent of the index for each; `last` tells it of p.param_key. */
const ofEachParam = (last: string) => `with recursive param as (
    (select c.param_key from auditor.parameter_change c where c.bot_key = $1::text order by c.param_key limit 1)
    union all
    select (select c.param_key from auditor.parameter_change c
            where c.bot_key = $1::text and c.param_key > p.param_key order by c.param_key limit 1)
    from param p where p.param_key is not null
  )
  select last.* from param p cross join lateral (${last}) last`;

/** In log order: one descent of the index again, however many writes the parameter had. */
const lastAccepted = ofEachParam(`select c.accepted_at, c.record_id from auditor.parameter_change c
  where ${counts} and c.param_key = p.param_key and ${acceptedInTime} and ${outcome} is distinct from 'ABORTED'
  order by c.epoch desc, c.xid desc, c.ord desc limit 1`);

/** By the time that its caller claims; of those that claim none, the service's. No index has that order. */
const lastChanged = ofEachParam(`select c.accepted_at, c.record_id from (
    select c.accepted_at, c.record_id from auditor.parameter_change c
    where ${counts} and c.param_key = p.param_key
      and case when c.changed_at_ns is null then ${acceptedInTime} else c.changed_at_ns <= $7::bigint end
    order by coalesce(c.changed_at_ns, (extract(epoch from c.accepted_at) * 1000000)::bigint * 1000) desc,
      c.epoch desc, c.xid desc, c.ord desc
  ) c where ${outcome} is distinct from 'ABORTED' limit 1`);

/** Beside its name and value, what an entry of an answer takes. */
const entryBytes = 64;

/** The values of the last writes, but for those that removed their parameter, up to the bound in bytes. */
const valuesOf = (last: string) => `select * from (
    select c.param_key, c.param_name, c.new_value_json, c.record_id, own_bytes,
      (extract(epoch from c.accepted_at) * 1000000)::bigint::text as accepted_micros,
      c.reason_code <> 'UNGATED_WRITE' and ${outcome} is null as unconfirmed,
      sum(own_bytes) over (order by c.param_key rows unbounded preceding)::bigint::text as bytes
    from (${last}) l
    join auditor.parameter_change c on c.accepted_at = l.accepted_at and c.record_id = l.record_id
    cross join lateral (
      select octet_length(c.new_value_json) + octet_length(c.param_name) + ${entryBytes} as own_bytes) b
    where c.new_value_json is not null
  ) v where bytes::bigint - own_bytes <= $6::bigint order by param_key`;

const acceptedText = valuesOf(lastAccepted);
const changedText = valuesOf(lastChanged);

type Row = {
  param_key: string;
  param_name: string;
  new_value_json: string;
  record_id: string;
  accepted_micros: string;
  unconfirmed: boolean;
  bytes: string;
};

/**
 * The configuration of a bot, by parameter, in the order of their names as they compare. Throws LIMIT_EXCEEDED
 * when it is larger than the bound, and STORE_UNAVAILABLE.
 */
export async function readConfig(
  pool: pg.Pool,
  question: ConfigQuestion,
  nowNs: bigint,
): Promise<readonly ValueInForce[]> {
  const { botKey, basis, throughNs, environment, through, maxBytes } = question;
  const values: unknown[] = [
    botKey,
    through.epoch,
    through.horizon,
    environment,
    throughNs === null ? null : throughNs / 1000n,
    maxBytes,
  ];
  const rows = await read<Row>(
    pool,
    basis === "ACCEPTED"
      ? { text: acceptedText, values }
      : { text: changedText, values: [...values, throughNs ?? nowNs] },
  );
  if (Number(rows.at(-1)?.bytes ?? 0) > maxBytes) {
    throw new Failure(
      "LIMIT_EXCEEDED",
      `the configuration has more than ${maxBytes} bytes; ListParameterChanges gives its parameters one by one`,
    );
  }
  return rows.map((row) => ({
    paramKey: row.param_key,
    paramName: row.param_name,
    valueText: row.new_value_json,
    decisionId: row.record_id,
    acceptedMicros: Number(row.accepted_micros),
    unconfirmed: row.unconfirmed,
  }));
}
