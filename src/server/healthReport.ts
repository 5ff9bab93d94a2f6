import type { EventStreamState } from "../bus/availability.ts";
import type { BufferState } from "../journal/spool/spool.ts";
import { botVersions, polymarketCompatibility } from "../specification.ts";

/** Postgres, as it was found last. */
export type PostgresState = {
  readonly isReachable: boolean;
  /** Migrated and checked, so that the service uses it. */
  readonly isPrepared: boolean;
};

type Status = "green" | "amber" | "red";

type Check = {
  readonly status: Status;
  readonly value: boolean | number | null;
  /** The value that is asked for, or the one beyond which the status is what `reason` says. */
  readonly limit: boolean | number;
  /** Why it is not green. */
  readonly reason?: string;
};

/** The body of a bot's health page. */
export type HealthReport = {
  readonly bot_id: string;
  /** The worst of the checks. */
  readonly status: Status;
  readonly checks: Readonly<Record<string, Check>>;
  readonly version: Omit<(typeof botVersions)[number], "bot_id" | "polymarket_notes">;
  readonly polymarket: typeof polymarketCompatibility & { readonly notes: string };
};

/** Spec 001 §27; what is neither green nor red is amber (R13). */
export function ledgerHealth(now: {
  readonly postgres: PostgresState;
  readonly buffer: BufferState;
  /** As configured: purging honours the floor all the same (R2). */
  readonly retentionDays: number;
  /** Undefined where no bus is read. */
  readonly eventStream?: EventStreamState | undefined;
}): HealthReport {
  const isRecording = (now.postgres.isReachable && now.postgres.isPrepared) || now.buffer.isTaking;
  const postgres = postgresCheck(now.postgres, "amber");
  return report("gov.useractivityledger", {
    postgres_reachable: isRecording ? postgres : { ...postgres, status: "red" },
    buffer_size: bufferCheck(now.buffer, 500),
    retention_days: atLeast(now.retentionDays, 2555, [
      [2555, "red", "below 2555 days, the least that is allowed; records are kept for 2555 all the same"],
    ]),
    ...(now.eventStream === undefined ? {} : { event_stream: eventStreamCheck(now.eventStream) }),
  });
}

/** Spec 002 §27; retention as R3. */
export function auditorHealth(now: {
  readonly postgres: PostgresState;
  readonly buffer: BufferState;
  readonly retentionDays: number;
  /** How long ago a change was last recorded; undefined when none is known. */
  readonly lastChangeSeconds: number | undefined;
}): HealthReport {
  const kept = "records are kept for 365 days all the same";
  return report("gov.parameterchangeauditor", {
    postgres_reachable: postgresCheck(now.postgres, "red"),
    buffer_size: bufferCheck(now.buffer, 100),
    last_change_seconds: lastChangeCheck(now.lastChangeSeconds),
    retention_history_days: atLeast(now.retentionDays, 365, [
      [90, "red", `below 90 days; ${kept}`],
      [365, "amber", `below 365 days; ${kept}`],
    ]),
  });
}

function postgresCheck({ isReachable, isPrepared }: PostgresState, whenAway: Status): Check {
  if (!isReachable)
    return { status: whenAway, value: false, limit: true, reason: "Postgres does not answer" };
  if (isPrepared) return { status: "green", value: true, limit: true };
  return { status: "amber", value: true, limit: true, reason: "Postgres answers, and is being prepared" };
}

function bufferCheck({ records, isTaking }: BufferState, redAbove: number): Check {
  const state = { value: records, limit: redAbove };
  if (records > redAbove) return { status: "red", ...state, reason: `more than ${redAbove} records wait` };
  if (records > 0) return { status: "amber", ...state, reason: "records wait for Postgres" };
  if (!isTaking) return { status: "amber", ...state, reason: "the buffer takes no records" };
  return { status: "green", ...state };
}

/** R27. The value is how long it has been away. */
function eventStreamCheck({ isAvailable, awaySeconds, limitSeconds }: EventStreamState): Check {
  const state = { value: awaySeconds, limit: limitSeconds };
  return isAvailable
    ? { status: "green", ...state }
    : { status: "amber", ...state, reason: "EVENT_STREAM_UNAVAILABLE: the event stream is away" };
}

const idleAfterSeconds = 3600;

function lastChangeCheck(seconds: number | undefined): Check {
  const isRecent = seconds !== undefined && seconds < idleAfterSeconds;
  const state = { value: seconds ?? null, limit: idleAfterSeconds };
  return isRecent
    ? { status: "green", ...state }
    : { status: "amber", ...state, reason: "idle: no change was recorded in the last hour" };
}

/** The first of the bounds that the value is below decides. */
function atLeast(
  value: number,
  limit: number,
  bounds: readonly (readonly [number, Status, string])[],
): Check {
  const [, status, reason] = bounds.find(([least]) => value < least) ?? [];
  return status === undefined || reason === undefined
    ? { status: "green", value, limit }
    : { status, value, limit, reason };
}

function report(botId: (typeof botVersions)[number]["bot_id"], checks: Record<string, Check>): HealthReport {
  const found = botVersions.find((bot) => bot.bot_id === botId);
  if (found === undefined) throw new Error(`${botId} has no versions`);
  const { bot_id, polymarket_notes: notes, ...version } = found;
  const has = (status: Status) => Object.values(checks).some((check) => check.status === status);
  const status = has("red") ? "red" : has("amber") ? "amber" : "green";
  return { bot_id, status, checks, version, polymarket: { ...polymarketCompatibility, notes } };
}
