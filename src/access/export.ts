import type {
  ExportAccessLogRequest,
  ExportAccessLogResponse,
} from "../../gen/ts/polytraders/governance/v1/access_log_pb.ts";
import { exportMessage } from "../log/exportMessage.ts";
import { type ExportState, exportStream, isExportState } from "../log/exportStream.ts";
import { textOfFilters } from "../log/filters.ts";
import { rewritesOf } from "../log/rewrites.ts";
import { createTokens } from "../log/token.ts";
import type { CallContext } from "../server/call.ts";
import { textOfMicros } from "../time.ts";
import type { AccessDependencies } from "./dependencies.ts";
import { parseFilters } from "./filters.ts";
import { rolesOf } from "./list.ts";
import { type CallAt, readCalls } from "./read.ts";

const methodName = "AccessLogService/ExportAccessLog";

/** ExportAccessLog: the access log as JSONL, oldest first, resumable, ended by a trailer. */
export function createCallExport(dependencies: AccessDependencies) {
  const tokens = createTokens<ExportState>(dependencies.key, methodName, isExportState);

  return async function* (
    request: ExportAccessLogRequest,
    context: CallContext,
  ): AsyncGenerator<ExportAccessLogResponse> {
    const filters = parseFilters(request);
    const text = textOfFilters(filters);
    const resume =
      request.resumeToken === "" ? undefined : tokens.open("resume_token", request.resumeToken, text);
    await dependencies.accessLog.allowed(context, methodName, text);

    const holding = await dependencies.replicas.holding();
    const head = await dependencies.sequencer.catchUp(dependencies.limits.exportCatchUpMs);
    const parts = exportStream<CallAt>({
      resume,
      holding,
      // Calls are no records of the log: they end at its horizon, and have no positions.
      head: { ...head, position: 0 },
      page: (page) => readCalls(dependencies.pool, filters, page),
      line: accessLine,
      tokens,
      filters: text,
      rewrites: rewritesOf(dependencies.pool, { ...filters, tables: ["access.read_log"], scrubs: "any" }),
    });
    for await (const part of parts) {
      yield { $typeName: "polytraders.governance.v1.ExportAccessLogResponse", ...exportMessage(part) };
    }
  };
}

/** A call as one line of JSON without its newline; `filters` is JSON as it was written down. */
function accessLine(call: CallAt): string {
  const text = JSON.stringify;
  let line = `{"at":"${textOfMicros(call.atMicros)}","subject":${text(call.subject)},"roles":${text(rolesOf(call))}`;
  line += `,"method":${text(call.method)},"filters":${call.filters},"outcome":${text(call.outcome)}`;
  line += `,"request_id":${text(call.requestId)}}`;
  return line;
}
