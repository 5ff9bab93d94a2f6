import type {
  ExportUserActionsRequest,
  ExportUserActionsResponse,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { exportMessage } from "../log/exportMessage.ts";
import { type ExportState, exportStream, isExportState } from "../log/exportStream.ts";
import { textOfFilters } from "../log/filters.ts";
import { rewritesOf } from "../log/rewrites.ts";
import { createTokens } from "../log/token.ts";
import type { CallContext } from "../server/call.ts";
import type { LedgerDependencies } from "./dependencies.ts";
import { parseFilters } from "./filters.ts";
import { type ActionAt, readActions } from "./read.ts";
import { settlementLine } from "./report.ts";
import { scrubsOf } from "./scrub/scrubsOf.ts";

const methodName = "UserActivityLedgerService/ExportUserActions";

/** ExportUserActions: the ledger as JSONL in log order, resumable, ended by a trailer (spec 001 §9). */
export function createActionExport(dependencies: LedgerDependencies) {
  const tokens = createTokens<ExportState>(dependencies.key, methodName, isExportState);

  return async function* (
    request: ExportUserActionsRequest,
    context: CallContext,
  ): AsyncGenerator<ExportUserActionsResponse> {
    const filters = parseFilters(request);
    const text = textOfFilters(filters);
    const resume =
      request.resumeToken === "" ? undefined : tokens.open("resume_token", request.resumeToken, text);
    await dependencies.accessLog.allowed(context, methodName, text);

    const parts = exportStream<ActionAt>({
      resume,
      holding: await dependencies.replicas.holding(),
      head: await dependencies.sequencer.catchUp(dependencies.limits.exportCatchUpMs),
      page: (page) => readActions(dependencies.pool, filters, page, null),
      line: (action) => settlementLine(dependencies.retention.extended(action)),
      tokens,
      filters: text,
      rewrites: rewritesOf(dependencies.pool, {
        ...filters,
        tables: ["ledger.user_action", "ledger.fill_link"],
        scrubs: scrubsOf(filters.wallet, dependencies.identities),
      }),
    });
    for await (const part of parts) {
      yield { $typeName: "polytraders.governance.v1.ExportUserActionsResponse", ...exportMessage(part) };
    }
  };
}
