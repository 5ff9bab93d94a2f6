import type {
  ExportParameterChangesRequest,
  ExportParameterChangesResponse,
} from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { exportMessage } from "../log/exportMessage.ts";
import { type ExportState, exportStream, isExportState } from "../log/exportStream.ts";
import { textOfFilters } from "../log/filters.ts";
import { rewritesOf } from "../log/rewrites.ts";
import { createTokens } from "../log/token.ts";
import type { CallContext } from "../server/call.ts";
import type { AuditorDependencies } from "./dependencies.ts";
import { parseFilters } from "./filters.ts";
import { type DecisionAt, readDecisions } from "./read.ts";
import { operationsLine } from "./report.ts";

const methodName = "ParameterChangeAuditorService/ExportParameterChanges";

/** ExportParameterChanges: the audit log as JSONL in log order, resumable, ended by a trailer. */
export function createDecisionExport(dependencies: AuditorDependencies) {
  const tokens = createTokens<ExportState>(dependencies.key, methodName, isExportState);

  return async function* (
    request: ExportParameterChangesRequest,
    context: CallContext,
  ): AsyncGenerator<ExportParameterChangesResponse> {
    const filters = parseFilters(request);
    const text = textOfFilters(filters);
    const resume =
      request.resumeToken === "" ? undefined : tokens.open("resume_token", request.resumeToken, text);
    await dependencies.accessLog.allowed(context, methodName, text);

    const parts = exportStream<DecisionAt>({
      resume,
      holding: await dependencies.replicas.holding(),
      head: await dependencies.sequencer.catchUp(dependencies.limits.exportCatchUpMs),
      page: (page) => readDecisions(dependencies.pool, filters, page),
      line: operationsLine,
      tokens,
      filters: text,
      rewrites: rewritesOf(dependencies.pool, {
        ...filters,
        tables: ["auditor.parameter_change"],
        scrubs: "none", // Its records are not of accounts.
      }),
    });
    for await (const part of parts) {
      yield { $typeName: "polytraders.governance.v1.ExportParameterChangesResponse", ...exportMessage(part) };
    }
  };
}
