import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import {
  type CheckWriteRequest,
  Durability,
  type RecordUngatedWriteRequest,
  RecordUngatedWriteRequestSchema,
  WriteOutcome,
} from "../gen/parameter_change_auditor_pb.ts";
import type { ParameterChangeAuditorService } from "../gen/parameter_change_auditor_service_pb.ts";
import type { Entry } from "./entry.ts";

export type Auditor = Client<typeof ParameterChangeAuditorService>;

const deliveredWithinMs = 2_000;

/**
 * Tells the service one entry. Telling it twice does no harm: a write has its write_id, and of an outcome the first
 * stands.
 */
export async function deliver(auditor: Auditor, entry: Entry, signal: AbortSignal): Promise<void> {
  const options = { timeoutMs: deliveredWithinMs, signal };
  const confirm = (decisionId: string, outcome: WriteOutcome) =>
    auditor.confirmWrite({ decisionId, outcome }, options);
  switch (entry.kind) {
    case "confirmation":
      await confirm(entry.decisionId, entry.outcome);
      return;
    case "ungated":
    case "applied": {
      const request = ungatedWrite(entry.write, entry.at, entry.cause);
      const answer = await auditor.recordUngatedWrite(request, options);
      requireRecorded(answer.durability);
      // CheckWrite had recorded it after all, and that record waits for the outcome.
      if (entry.kind === "applied" && answer.replayed) await confirm(answer.decisionId, WriteOutcome.APPLIED);
      return;
    }
    case "aborted":
    case "rejected": {
      const answer = await auditor.checkWrite(entry.write, options);
      requireRecorded(answer.durability);
      // Allowed by now, and not made.
      if (answer.allowed) await confirm(answer.decisionId, WriteOutcome.ABORTED);
    }
  }
}

function requireRecorded(durability: Durability): void {
  if (durability === Durability.NOT_RECORDED) {
    throw new ConnectError("the service could not record it", Code.Unavailable);
  }
}

function ungatedWrite(write: CheckWriteRequest, at: Date, cause: string): RecordUngatedWriteRequest {
  const { $typeName, $unknown, dryRun, breakGlassReason, ...fields } = write;
  return create(RecordUngatedWriteRequestSchema, {
    ...fields,
    changedAt: write.changedAt ?? timestampFromDate(at),
    cause,
  });
}
