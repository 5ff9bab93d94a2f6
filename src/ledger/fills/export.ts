import type {
  ExportFillsRequest,
  ExportFillsResponse,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { exportMessage } from "../../log/exportMessage.ts";
import { type ExportState, exportStream, isExportState } from "../../log/exportStream.ts";
import { textOfFilters } from "../../log/filters.ts";
import { rewritesOf } from "../../log/rewrites.ts";
import { createTokens } from "../../log/token.ts";
import type { CallContext } from "../../server/call.ts";
import type { LedgerDependencies } from "../dependencies.ts";
import { scrubsOf } from "../scrub/scrubsOf.ts";
import { parseFillFilters } from "./filters.ts";
import { type FillAt, readFills } from "./read.ts";
import { fillLine } from "./report.ts";

const methodName = "UserActivityLedgerService/ExportFills";

/** ExportFills: recorded execution reports as JSONL in log order, resumable, ended by a trailer. */
export function createFillExport(dependencies: LedgerDependencies) {
  const tokens = createTokens<ExportState>(dependencies.key, methodName, isExportState);

  return async function* (
    request: ExportFillsRequest,
    context: CallContext,
  ): AsyncGenerator<ExportFillsResponse> {
    const filters = parseFillFilters(request);
    const text = textOfFilters(filters);
    const resume =
      request.resumeToken === "" ? undefined : tokens.open("resume_token", request.resumeToken, text);
    await dependencies.accessLog.allowed(context, methodName, text);

    const parts = exportStream<FillAt>({
      resume,
      holding: await dependencies.replicas.holding(),
      head: await dependencies.sequencer.catchUp(dependencies.limits.exportCatchUpMs),
      page: (page) => readFills(dependencies.pool, filters, page, null),
      line: fillLine,
      tokens,
      filters: text,
      rewrites: rewritesOf(dependencies.pool, {
        ...filters,
        tables: ["ledger.fill_report", "ledger.fill_link"],
        scrubs: scrubsOf(filters.wallet, dependencies.identities),
      }),
    });
    for await (const part of parts) {
      yield { $typeName: "polytraders.governance.v1.ExportFillsResponse", ...exportMessage(part) };
    }
  };
}
