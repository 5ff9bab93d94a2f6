import type pg from "pg";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { sqlState } from "../db/pool.ts";
import { Failure } from "../server/failure.ts";
import { purgeConflicts } from "./conflicts.ts";
import { endGrace } from "./grace.ts";
import {
  attachedMonths,
  type Basis,
  countRecords,
  decide,
  isYoung,
  type Month,
  partitionName,
  strayMonths,
} from "./months.ts";
import { type Pass, take } from "./pass.ts";
import { loadRetainDays, type Spans, spansOf } from "./retainDays.ts";
import { auditorRule, clocksMayDifferMicros, ledgerRule, purgeDay, type Rule } from "./rules.ts";
import { endedToday, type Run, recordEnd, recordStart } from "./runs.ts";
import { fillLinks, monthlyTables, userActions } from "./tables.ts";
import { detach, settle, stepOf, takeAside, takeWhole } from "./take.ts";

/** Takes what is past its retention, a month at a time (spec 001 §9; R1, R3). */
export type Purge = AsyncDisposable & {
  /**
   * Runs to its end, or, dry, tells what a run would do. With `ifDue` answers undefined when a run has ended
   * in the last day. Throws PURGE_REFUSED when the clocks disagree, another run is under way, or there is no
   * administrator.
   */
  run(options: {
    readonly startedBy: string;
    readonly isDry: boolean;
    readonly ifDue?: boolean;
  }): Promise<Run | undefined>;
};

/** One run at a time in the whole cluster; its session's end lets the lock go, however it ends. */
const lockKeys = [716_351, 11] as const;

export function createPurge(options: {
  /** Opens the administrator's connection as governance_owner; undefined where there is none. */
  readonly connect: (() => Promise<pg.Client>) | undefined;
  /** Gives what is on record its place in the log: a month with a record that has none is kept. */
  readonly catchUp: () => Promise<unknown>;
  readonly clock: Clock;
  /** A new ULID. */
  readonly recordId: () => string;
  readonly log: Logger;
}): Purge {
  const { clock, log } = options;
  const underWay = new Set<Promise<unknown>>();
  const clients = new Set<pg.Client>();
  let isClosing = false;

  function refused(text: string): Failure {
    log.warn({ reason: "PURGE_REFUSED" }, `the purge did not run: ${text}`);
    return new Failure("PURGE_REFUSED", text);
  }

  async function withLock(
    client: pg.Client,
    { startedBy, isDry, ifDue = false }: Parameters<Purge["run"]>[0],
  ) {
    const { rows: locks } = await client.query<{ locked: boolean }>(
      "select pg_try_advisory_lock($1, $2) as locked",
      [...lockKeys],
    );
    if (!locks[0]?.locked) throw refused("another run is under way");
    const startedMicros = clock.nowMicros();
    const databaseMicros = await databaseClock(client);
    if (Math.abs(startedMicros - databaseMicros) > clocksMayDifferMicros) {
      throw refused("the clocks of the service and of the database disagree by more than an hour");
    }
    if (ifDue && (await endedToday(client, startedMicros))) return undefined;

    await options.catchUp().catch((cause: unknown) => {
      log.warn(
        { code: sqlState(cause) },
        "the log has not caught up before the purge; it keeps what it has to",
      );
    });
    const runId = isDry ? "" : `prg_${options.recordId()}`;
    const begun: Run = { runId, isDry, startedMicros, endedMicros: undefined, startedBy, steps: [] };
    if (!isDry) await recordStart(client, begun);
    const pass: Pass = {
      client,
      basis: await basisOf(client, purgeDay(startedMicros, databaseMicros)),
      runId,
      isDry,
      nowMicros: Math.min(startedMicros, databaseMicros),
      steps: [],
      log,
    };
    await runPass(pass);
    const endedMicros = clock.nowMicros();
    if (!isDry) {
      await recordEnd(client, runId, endedMicros);
      const count = (action: string) => pass.steps.filter((step) => step.action === action).length;
      const counts = { detached: count("DETACHED"), dropped: count("DROPPED"), kept: count("KEPT") };
      log.info({ runId, startedBy, ...counts }, "the purge has run");
    }
    return { ...begun, endedMicros, steps: pass.steps };
  }

  async function onConnection(connect: () => Promise<pg.Client>, asked: Parameters<Purge["run"]>[0]) {
    const client = await connect();
    clients.add(client);
    try {
      if (isClosing) throw new Failure("SHUTTING_DOWN", "the service is stopping; ask another replica");
      return await withLock(client, asked);
    } finally {
      clients.delete(client);
      await client.end();
    }
  }

  return {
    async run(asked) {
      if (options.connect === undefined) {
        throw refused(
          "this service has no administrator's connection; set DATABASE_ADMIN_URL, or ask a replica that has it",
        );
      }
      const running = onConnection(options.connect, asked);
      underWay.add(running);
      return running.finally(() => underWay.delete(running));
    },
    async [Symbol.asyncDispose]() {
      isClosing = true;
      // The next run goes on wherever this one stops.
      await Promise.allSettled([...[...clients].map((client) => client.end()), ...underWay]);
    },
  };
}

async function databaseClock(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ micros: string }>(
    "select (extract(epoch from clock_timestamp()) * 1000000)::bigint::text as micros",
  );
  return Number(rows[0]?.micros);
}

async function basisOf(client: pg.Client, todayDay: number): Promise<Basis> {
  const spans = new Map<Rule, Spans>();
  for (const rule of [ledgerRule, auditorRule]) {
    spans.set(rule, spansOf(await loadRetainDays(client, rule.bot)));
  }
  return { todayDay, spansOf: (rule) => spans.get(rule) ?? spansOf([]) };
}

async function runPass(pass: Pass): Promise<void> {
  if (!pass.isDry) await finishBroken(pass);
  await endGrace(pass);
  const monthsWithActions = new Set<string>();
  for (const table of monthlyTables) {
    for (const { month } of await attachedMonths(pass.client, table)) {
      const mayGrow = table === fillLinks && monthsWithActions.has(month.month);
      const isGone = await takeMonth(pass, month, mayGrow);
      if (table === userActions && !isGone) monthsWithActions.add(month.month);
    }
  }
  await purgeConflicts(pass);
}

/** What a run that broke off had begun to detach is finished before anything else is touched. */
async function finishBroken(pass: Pass): Promise<void> {
  for (const table of monthlyTables) {
    const pending = (await attachedMonths(pass.client, table)).find(({ isPending }) => isPending);
    if (pending !== undefined) await detach(pass, pending.month);
    for (const month of await strayMonths(pass.client, table)) await settle(pass, month);
  }
}

/** Takes the month if all of it is past its retention. Answers whether it goes whole. */
async function takeMonth(pass: Pass, month: Month, mayGrow: boolean): Promise<boolean> {
  if (isYoung(month, pass.basis)) return false;
  const count = await countRecords(pass.client, month.table, partitionName(month), pass.basis);
  const decision = decide(month, count, mayGrow, pass.basis.todayDay);
  switch (decision.kind) {
    case "leave":
      return false;
    case "keep":
      await take(pass, stepOf(month, "KEPT", count));
      return false;
    case "aside":
      if (pass.isDry) await take(pass, stepOf(month, "DETACHED", count));
      else await takeAside(pass, month);
      return false;
    case "whole":
      if (!pass.isDry) return takeWhole(pass, month);
      await take(pass, stepOf(month, "DETACHED", count));
      return true;
  }
}
