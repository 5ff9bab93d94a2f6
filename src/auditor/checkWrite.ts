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
import { decide, type Policy } from "./policy.ts";
import { readDecision } from "./read.ts";
import { diffOf, operationsReport, type RecordedDecision, wireTicketStatus } from "./report.ts";
import type { AuditorDependencies } from "./service.ts";
import { parseWrite, type Write } from "./write.ts";

/** Of the 500 ms a caller waits, the server uses this; then the verdict is given, recorded or not (R20). */
const recordWithinMs = 400;

/**
 * CheckWrite: the verdict, and where its record is (spec 002 §10). Whatever happens to the record, a
 * well-formed request gets its verdict.
 */
export function createCheckWrite(dependencies: AuditorDependencies) {
  return async (request: CheckWriteRequest, context: CallContext): Promise<CheckWriteResponse> => {
    const write = parseWrite(request);
    const row = decisionRow(write, dependencies.policy(), context.caller.subject, dependencies);
    if (request.dryRun) return answer(recordedAs(row), Durability.NOT_RECORDED, { dryRun: true });

    const outcome = await recordInTime(row, dependencies);
    switch (outcome.kind) {
      case "conflict":
        throw writeIdConflict(write.writeId ?? "");
      case "replayed": {
        const first = await readDecision(dependencies.pool, row.recordedBy, write.writeId ?? "");
        // Purged since: the id is taken and the same content was decided then; this verdict says the same.
        return answer(first ?? recordedAs(row), Durability.DURABLE, { replayed: true });
      }
      case "not_recorded":
        return answer(recordedAs(row), Durability.NOT_RECORDED, {});
      case "recorded":
        dependencies.sequencer.nudge();
        dependencies.onDecided(row);
        return answer(recordedAs(row), Durability.DURABLE, {});
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

/** The journal's outcome, or that there was none in time: the gate never waits longer for its record. */
async function recordInTime(
  row: DecisionRow,
  dependencies: AuditorDependencies,
): Promise<DecisionOutcome | { readonly kind: "not_recorded" }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, recordWithinMs, undefined);
  });
  try {
    const orderKey = `${row.write.botKey}.${row.write.paramKey}`;
    const outcomes = await Promise.race([dependencies.journal.append(orderKey, [row]), late]);
    return outcomes?.[0] ?? { kind: "not_recorded" };
  } catch (cause) {
    if (!(cause instanceof StoreUnavailable)) dependencies.log.error({ err: cause }, "a decision could not be recorded");
    return { kind: "not_recorded" };
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
