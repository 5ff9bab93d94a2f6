import { AccessLogService } from "../../gen/ts/polytraders/governance/v1/access_log_service_pb.ts";
import { type Rpc, serverStream, unary } from "../server/call.ts";
import type { AccessDependencies } from "./dependencies.ts";
import { createCallExport } from "./export.ts";
import { createCallList } from "./list.ts";

const readBudgetMs = 10_000;

/** Who read what: the RPCs of the access log. */
export function createAccessLogService(dependencies: AccessDependencies): readonly Rpc[] {
  const { method } = AccessLogService;
  return [
    unary(method.listAccessLog, readBudgetMs, createCallList(dependencies)),
    serverStream(method.exportAccessLog, createCallExport(dependencies)),
  ];
}
