import { contentHash } from "../contentHash.ts";
import { StoreUnavailable } from "../journal/commit.ts";
import type { Buffered } from "../journal/spooled.ts";
import { Failure } from "../server/failure.ts";
import type { DecisionOutcome, DecisionRow } from "./append.ts";
import type { AuditorDependencies } from "./dependencies.ts";
import { hookFired } from "./hook.ts";
import { decide, isAutomated, type Policy } from "./policy.ts";
import { readDecision } from "./read.ts";
import type { RecordedDecision } from "./report.ts";
import type { MaskedWrite } from "./secrets/masking.ts";
import { isStopping } from "./stopping.ts";
import { type FoundTicket, findTicket, ticketAsOf } from "./ticket.ts";
import { createTurns } from "./turns.ts";
import type { Write } from "./write.ts";

/** Of the 500 ms a caller waits, the server uses this; then the verdict is given, recorded or not (R20). */
const recordWithinMs = 400;
/** What of it is left to the store, whatever the ticket system does. */
const storeAtLeastMs = 100;

/** A write with its verdict, and what became of the record. */
export type Decided = {
  readonly record: RecordedDecision;
  readonly kind:
    | "recorded"
    /** The write_id was on record with the same content: this is that decision. */
    | "replayed"
    /** Durable on this replica's disk; the audit log follows (R4). */
    | "buffered"
    /** Nobody took it in time. */
    | "not_recorded"
    /** Decided and nothing else. */
    | "dry_run";
};

/** Decides on writes and records the decisions. */
export type Gate = {
  /** The verdict under the policy in force; nothing is recorded. `subject` is the token's. */
  tryOut(write: Write, subject: string): Promise<Decided>;
  /**
   * The verdict and its record (spec 002 §10), within 400 ms that the wait for a place, the ticket system and
   * the store share; they run from `receivedMs`, on the monotonic clock (absent: now).
   * Whatever happens to the record, there is a verdict. Decisions on one parameter are recorded in the order
   * of the calls, but for writes towards stopping, which wait for nobody. Throws WRITE_ID_CONFLICT.
   */
  decideAndRecord(write: Write, subject: string, receivedMs?: number): Promise<Decided>;
};

export function createGate(dependencies: AuditorDependencies): Gate {
  const { clock } = dependencies;
  const turns = createTurns();
  return {
    async tryOut(write, subject) {
      const row = await decisionRow(write, subject, dependencies);
      hookFired(row.write, dependencies.log);
      return { record: recordedAs(row), kind: "dry_run" };
    },

    async decideAndRecord(write, subject, receivedMs = clock.monotonicMs()) {
      const untilMs = receivedMs + recordWithinMs;
      const masked = dependencies.masking.write(write);
      const policy = dependencies.policy();
      hookFired(masked, dependencies.log);
      const decideNow = async (found: FoundTicket) => {
        const row = rowOf(write, masked, subject, policy, found, dependencies);
        const leftMs = untilMs - clock.monotonicMs();
        return { row, outcome: await inTime(record(row, dependencies), leftMs, dependencies) };
      };
      const found = find(write, policy, dependencies, untilMs);
      const isFirst = isStopping(policy.stopping, write) && !(found instanceof Promise);
      const { row, outcome } = isFirst
        ? await decideNow(found)
        : await turns.take(orderKeyOf(write), found, decideNow);
      switch (outcome?.kind) {
        case "conflict":
          throw writeIdConflict(write.writeId ?? "");
        case "replayed": {
          const { recordId } = outcome;
          const reading = readDecision(dependencies.pool, row.recordedBy, write.writeId ?? "", recordId);
          const first = await inTime(reading, untilMs - clock.monotonicMs(), dependencies);
          if (write.breakGlassReason !== null && first?.breakGlassReason === null) {
            throw decidedWithoutBreakGlass(write.writeId ?? "");
          }
          // Purged since, or not to be read now: the same content gets the verdict of the policy in force.
          return { record: first ?? recordedAs({ ...row, recordId }), kind: "replayed" };
        }
        case "recorded":
          return { record: recordedAs(row, outcome.staleAgainst), kind: "recorded" };
        case "buffered":
          return { record: recordedAs(row), kind: "buffered" };
        case undefined:
          dependencies.onNotRecorded(row);
          return { record: recordedAs(row), kind: "not_recorded" };
      }
    },
  };
}

function find(
  write: Write,
  policy: Policy,
  { tickets, clock }: AuditorDependencies,
  untilMs = clock.monotonicMs() + recordWithinMs,
): FoundTicket | Promise<FoundTicket> {
  const withinMs = untilMs - storeAtLeastMs - clock.monotonicMs();
  return findTicket(write, policy, tickets(), clock.nowMicros(), withinMs);
}

/** A decision on its way into the journal, accepted once its ticket was asked about. */
export async function decisionRow(
  write: Write,
  recordedBy: string,
  dependencies: AuditorDependencies,
): Promise<DecisionRow> {
  const policy = dependencies.policy();
  const found = await find(write, policy, dependencies);
  return rowOf(write, dependencies.masking.write(write), recordedBy, policy, found, dependencies);
}

/** Decided by the write as it came, recorded without its secrets. */
function rowOf(
  write: Write,
  masked: MaskedWrite,
  recordedBy: string,
  policy: Policy,
  found: FoundTicket,
  dependencies: AuditorDependencies,
): DecisionRow {
  const acceptedMicros = dependencies.clock.nowMicros();
  const ticket = ticketAsOf(found, write, acceptedMicros);
  const recordId = dependencies.recordId();
  if (ticket.kind === "invalid") {
    dependencies.log.info({ decisionId: recordId, why: ticket.why }, "a ticket does not cover its write");
  }
  return {
    write: masked,
    decision: decide(write, policy, ticket),
    mode: policy.mode,
    automated: isAutomated(policy, recordedBy, write),
    recordId,
    acceptedMicros,
    recordedBy,
    contentHash: contentHashOf(write, dependencies.key),
    ...(ticket.kind === "invalid" ? { ticketProblem: ticket.why } : {}),
  };
}

/** What a write_id stands for (R10). */
export function contentHashOf(write: Write, key: AuditorDependencies["key"]): Buffer {
  return contentHash(key, [
    write.botKey,
    write.paramKey,
    write.oldValue?.canonical ?? null,
    write.newValue?.canonical ?? null,
    write.editorId,
    write.ticketRef,
    write.environment,
    write.traceId,
    write.changedAtNs?.toString() ?? null,
  ]);
}

/** Writes to one parameter are recorded in the order of their calls. */
export function orderKeyOf(write: Write): string {
  return `${write.botKey}.${write.paramKey}`;
}

/** Appends the decision to the journal; counted and placed in the log even when its caller left earlier. */
async function record(
  row: DecisionRow,
  dependencies: AuditorDependencies,
): Promise<DecisionOutcome | Buffered | undefined> {
  const [outcome] = await dependencies.journal.append(orderKeyOf(row.write), [row]);
  if (outcome?.kind === "recorded") dependencies.sequencer.nudge();
  // Nobody who has to be told waits for the audit log (R25).
  if (outcome?.kind === "recorded" || outcome?.kind === "buffered") dependencies.onDecided(row);
  return outcome;
}

/** What the store answers, or undefined when it is away or takes longer: the gate never waits for it. */
async function inTime<T>(
  answer: Promise<T>,
  withinMs: number,
  dependencies: AuditorDependencies,
): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, withinMs), undefined);
  });
  try {
    return await Promise.race([answer, late]);
  } catch (cause) {
    const isAway =
      cause instanceof StoreUnavailable || (cause instanceof Failure && cause.reason === "STORE_UNAVAILABLE");
    if (!isAway) dependencies.log.error({ err: cause }, "a decision could not be recorded or read");
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

export function writeIdConflict(writeId: string): Failure {
  const text = `write_id ${JSON.stringify(writeId)} is on record with other content; nothing was overwritten`;
  return new Failure("WRITE_ID_CONFLICT", text, { metadata: { write_id: writeId } });
}

function decidedWithoutBreakGlass(writeId: string): Failure {
  const text = `write_id ${JSON.stringify(writeId)} is on record, decided without break-glass; send it under another write_id`;
  return new Failure("WRITE_ID_CONFLICT", text, { metadata: { write_id: writeId } });
}

/** The decision as a reader will see it. */
export function recordedAs(row: DecisionRow, staleAgainst: string | null = null): RecordedDecision {
  const { write, decision } = row;
  return {
    recordId: row.recordId,
    acceptedMicros: row.acceptedMicros,
    botSlug: write.botSlug,
    paramName: write.paramName,
    oldText: write.oldValue?.text ?? null,
    newText: write.newValue?.text ?? null,
    inexact: write.inexact,
    maskedPaths: write.maskedPaths,
    staleAgainst,
    editorId: write.editorId,
    ticketRef: write.ticketRef,
    environment: write.environment,
    writeId: write.writeId,
    traceId: write.traceId,
    changedAtNs: write.changedAtNs,
    recordedBy: row.recordedBy,
    allowed: decision.allowed,
    verdict: decision.verdict,
    mode: row.mode,
    automated: row.automated,
    tier: decision.tier,
    ticketStatus: decision.ticketStatus,
    ticketProblem: row.ticketProblem ?? null,
    reasonCode: decision.reasonCode,
    cause: row.ungated?.cause ?? null,
    breakGlassReason: write.breakGlassReason,
    policyVersion: decision.policyVersion,
    epoch: 0,
    position: 0,
  };
}
