import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { AccessLogService } from "../../gen/ts/polytraders/governance/v1/access_log_service_pb.ts";
import { BotConfigService } from "../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { ParameterChangeAuditorService } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { ReportService } from "../../gen/ts/polytraders/governance/v1/report_service_pb.ts";
import { RetentionService } from "../../gen/ts/polytraders/governance/v1/retention_service_pb.ts";
import { UserActivityLedgerService } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import type { Rpc } from "./call.ts";

/** Every service of the contract. */
export const contract = [
  UserActivityLedgerService,
  ParameterChangeAuditorService,
  ReportService,
  BotConfigService,
  AccessLogService,
  RetentionService,
] as const satisfies readonly DescService[];

/** The given methods: every one of the contract, or the composition is at fault. */
export function wholeContract(served: readonly Rpc[]): readonly Rpc[] {
  const known = new Set<DescMethod>(served.map((rpc) => rpc.method));
  const methods = contract.flatMap((service): DescMethod[] => service.methods);
  const missing = methods.find((method) => !known.has(method));
  if (missing !== undefined) throw new Error(`${missing.name} is in the contract and nobody serves it`);
  return served;
}
