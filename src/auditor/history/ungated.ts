import {
  Durability,
  type RecordUngatedWriteRequest,
  type RecordUngatedWriteResponse,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { requiredText } from "../../server/bounds.ts";
import type { CallContext } from "../../server/call.ts";
import { invalidField } from "../../server/failure.ts";
import type { DecisionRow } from "../append.ts";
import type { AuditorDependencies } from "../dependencies.ts";
import { contentHashOf, decisionRow, orderKeyOf, recordedAs, writeIdConflict } from "../gate.ts";
import { readDecision } from "../read.ts";
import { operationsReport } from "../report.ts";
import { parseWrite, type Write, writeIdMaxBytes } from "../write.ts";
import { stored } from "./stored.ts";

/** The ticket system may have had 300 ms of the call's second before. */
const recordWithinMs = 600;
const causeMaxBytes = 256;

/**
 * RecordUngatedWrite: a write that went through without a verdict (R6). Throws WRITE_ID_CONFLICT and
 * STORE_UNAVAILABLE.
 */
export function createRecordUngatedWrite(dependencies: AuditorDependencies) {
  return async (
    request: RecordUngatedWriteRequest,
    context: CallContext,
  ): Promise<RecordUngatedWriteResponse> => {
    const write = parseWrite({ ...request, breakGlassReason: "" }, dependencies.masking);
    const writeId = requiredText("write_id", request.writeId, writeIdMaxBytes);
    if (write.changedAtNs === null) throw invalidField("changed_at", "is required: when the write happened");
    const cause = requiredText("cause", request.cause, causeMaxBytes);

    const row = await ungatedRow(write, cause, context.caller.subject, dependencies);
    const [outcome] = await stored(
      dependencies.journal.append(orderKeyOf(write), [row]).then((outcomes) => {
        const kind = outcomes[0]?.kind;
        if (kind === "recorded" || kind === "buffered") {
          // Said once for each record, also when its caller left earlier.
          dependencies.sequencer.nudge();
          dependencies.onUngated(row);
        }
        return outcomes;
      }),
      recordWithinMs,
    );
    if (outcome?.kind === "conflict") throw writeIdConflict(writeId);
    const isReplayed = outcome?.kind === "replayed";
    const first = isReplayed
      ? await readDecision(dependencies.pool, row.recordedBy, writeId, outcome.recordId)
      : undefined;
    const record =
      first ??
      recordedAs(
        isReplayed ? { ...row, recordId: outcome.recordId } : row,
        outcome?.kind === "recorded" ? outcome.staleAgainst : null,
      );
    return {
      $typeName: "polytraders.governance.v1.RecordUngatedWriteResponse",
      durability: outcome?.kind === "buffered" ? Durability.BUFFERED : Durability.DURABLE,
      decisionId: record.recordId,
      report: operationsReport(record),
      replayed: isReplayed,
    };
  };
}

/** The verdict is what the policy says now; the write was made whatever it is. */
async function ungatedRow(
  write: Write,
  cause: string,
  recordedBy: string,
  dependencies: AuditorDependencies,
): Promise<DecisionRow> {
  const row = await decisionRow(write, recordedBy, dependencies);
  return {
    ...row,
    decision: { ...row.decision, allowed: true, reasonCode: "UNGATED_WRITE" },
    ungated: { cause, claimlessHash: contentHashOf({ ...write, changedAtNs: null }, dependencies.key) },
  };
}
