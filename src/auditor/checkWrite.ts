import {
  type CheckWriteRequest,
  type CheckWriteResponse,
  Durability,
  Mode,
  Verdict,
} from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import type { CallContext } from "../server/call.ts";
import { checkBreakGlass } from "./breakGlass/allowed.ts";
import type { Decided, Gate } from "./gate.ts";
import { diffOf, operationsReport, wireTicketStatus } from "./report.ts";
import type { Masking } from "./secrets/masking.ts";
import { verdictMessage } from "./verdictMessage.ts";
import { parseWrite } from "./write.ts";

/** CheckWrite: the verdict, and where its record is (spec 002 §10). */
export function createCheckWrite(gate: Gate, masking: Masking) {
  return async (request: CheckWriteRequest, context: CallContext): Promise<CheckWriteResponse> => {
    const write = parseWrite(request, masking);
    const { subject, roles } = context.caller;
    checkBreakGlass(write.breakGlassReason, roles);
    return verdictOf(
      await (request.dryRun
        ? gate.tryOut(write, subject)
        : gate.decideAndRecord(write, subject, context.receivedMs)),
    );
  };
}

const durabilities = {
  recorded: Durability.DURABLE,
  replayed: Durability.DURABLE,
  buffered: Durability.BUFFERED,
  not_recorded: Durability.NOT_RECORDED,
  dry_run: Durability.NOT_RECORDED,
};

/** The verdict as its caller gets it. */
export function verdictOf({ record, kind }: Decided): CheckWriteResponse {
  const durability = durabilities[kind];
  const isDryRun = kind === "dry_run";
  return {
    $typeName: "polytraders.governance.v1.CheckWriteResponse",
    allowed: record.allowed,
    verdict: record.verdict === "ALLOW" ? Verdict.ALLOW : Verdict.REJECT,
    mode: record.mode === "enforce" ? Mode.ENFORCE : Mode.SHADOW_ONLY,
    reasonCode: record.reasonCode,
    userMessage: verdictMessage(record.reasonCode, durability, isDryRun),
    paramTier: record.tier,
    ticketStatus: wireTicketStatus(record.ticketStatus),
    durability,
    decisionId: isDryRun ? "" : record.recordId,
    policyVersion: record.policyVersion,
    ...diffOf(record),
    ...(isDryRun ? {} : { report: operationsReport(record) }),
    replayed: kind === "replayed",
    // Of a replay whose record cannot be read it would be what is wrong now.
    ticketProblem: kind === "replayed" ? "" : (record.ticketProblem ?? ""),
  };
}
