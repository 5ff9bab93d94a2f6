import {
  type CheckWriteRequest,
  type CheckWriteResponse,
  Durability,
  Mode,
  Verdict,
} from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { contentHash } from "../contentHash.ts";
import { StoreUnavailable } from "../journal/journal.ts";
import { isReasonCode, userMessages } from "../reasonCodes.ts";
import type { CallContext } from "../server/call.ts";
import { Failure } from "../server/failure.ts";
import type { DecisionOutcome, DecisionRow } from "./append.ts";
import type { AuditorDependencies } from "./dependencies.ts";
import { decide, type Policy } from "./policy.ts";
import { readDecision } from "./read.ts";
import { diffOf, operationsReport, type RecordedDecision, wireTicketStatus } from "./report.ts";
import { parseWrite, type Write } from "./write.ts";

/** Of the 500 ms a caller waits, the server uses this; then the verdict is given, recorded or not (R20). */
const recordWithinMs = 400;

/**
 * CheckWrite: the verdict, and where its record is (spec 002 §10). Whatever happens to the record, a
 * well-formed request gets its verdict.
 */
export function createCheckWrite(dependencies: AuditorDependencies) {
  const { clock } = dependencies;

  return async (request: CheckWriteRequest, context: CallContext): Promise<CheckWriteResponse> => {
    const untilMs = clock.monotonicMs() + recordWithinMs;
    const write = parseWrite(request);
    const row = decisionRow(write, dependencies.policy(), context.caller.subject, dependencies);
    if (request.dryRun) return answer(recordedAs(row), Durability.NOT_RECORDED, { dryRun: true });

    const outcome = await inTime(record(row, dependencies), recordWithinMs, dependencies);
    switch (outcome?.kind) {
      case "conflict":
        throw writeIdConflict(write.writeId ?? "");
      case "replayed": {
        const reading = readDecision(dependencies.pool, row.recordedBy, write.writeId ?? "");
        const first = await inTime(reading, untilMs - clock.monotonicMs(), dependencies);
        // Purged since, or not to be read now: the same content gets the verdict of the policy in force.
        return answer(first ?? recordedAs({ ...row, recordId: outcome.recordId }), Durability.DURABLE, {
          replayed: true,
        });
      }
      case "recorded":
        return answer(recordedAs(row), Durability.DURABLE, {});
      case undefined:
        return answer(recordedAs(row), Durability.NOT_RECORDED, {});
    }
  };
}

/** A decision on its way into the journal, accepted now. */
function decisionRow(
  write: Write,
  policy: Policy,
  recordedBy: string,
  dependencies: Pick<AuditorDependencies, "clock" | "recordId" | "key">,
): DecisionRow {
  return {
    write,
    decision: decide(write, policy),
    mode: policy.mode,
    policyVersion: policy.version,
    recordId: dependencies.recordId(),
    acceptedMicros: dependencies.clock.nowMicros(),
    recordedBy,
    contentHash: contentHash(dependencies.key, [
      write.botKey,
      write.paramKey,
      write.oldValue?.canonical ?? null,
      write.newValue?.canonical ?? null,
      write.editorId,
      write.ticketRef,
      write.environment,
      write.traceId,
      write.changedAtNs?.toString() ?? null,
    ]),
  };
}

/** Appends the decision to the journal; counted and placed in the log even when its caller left earlier. */
async function record(
  row: DecisionRow,
  dependencies: AuditorDependencies,
): Promise<DecisionOutcome | undefined> {
  const orderKey = `${row.write.botKey}.${row.write.paramKey}`;
  const [outcome] = await dependencies.journal.append(orderKey, [row]);
  if (outcome?.kind === "recorded") {
    dependencies.sequencer.nudge();
    dependencies.onDecided(row);
  }
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

function writeIdConflict(writeId: string): Failure {
  const text = `write_id ${JSON.stringify(writeId)} is on record with other content; nothing was overwritten`;
  return new Failure("WRITE_ID_CONFLICT", text, { metadata: { write_id: writeId } });
}

function answer(
  record: RecordedDecision,
  durability: Durability,
  more: { dryRun?: boolean; replayed?: boolean },
): CheckWriteResponse {
  return {
    $typeName: "polytraders.governance.v1.CheckWriteResponse",
    allowed: record.allowed,
    verdict: record.verdict === "ALLOW" ? Verdict.ALLOW : Verdict.REJECT,
    mode: record.mode === "enforce" ? Mode.ENFORCE : Mode.SHADOW_ONLY,
    reasonCode: record.reasonCode,
    userMessage: isReasonCode(record.reasonCode) ? userMessages[record.reasonCode] : "",
    paramTier: record.tier,
    ticketStatus: wireTicketStatus(record.ticketStatus),
    durability,
    decisionId: more.dryRun ? "" : record.recordId,
    policyVersion: record.policyVersion,
    ...diffOf(record),
    ...(more.dryRun ? {} : { report: operationsReport(record) }),
    replayed: more.replayed ?? false,
  };
}

/** The decision as a reader will see it. */
function recordedAs(row: DecisionRow): RecordedDecision {
  const { write, decision } = row;
  return {
    recordId: row.recordId,
    acceptedMicros: row.acceptedMicros,
    botSlug: write.botSlug,
    paramName: write.paramName,
    oldText: write.oldValue?.text ?? null,
    newText: write.newValue?.text ?? null,
    inexact: write.inexact,
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
    tier: decision.tier,
    ticketStatus: decision.ticketStatus,
    reasonCode: decision.reasonCode,
    policyVersion: row.policyVersion,
    epoch: 0,
    position: 0,
  };
}
