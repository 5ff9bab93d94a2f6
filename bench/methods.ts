import type { DescMethod } from "@bufbuild/protobuf";
import { BotConfigService } from "../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { ParameterChangeAuditorService } from "../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { UserActivityLedgerService } from "../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";

/** The :path of each method that the bench calls. */
export const method = {
  recordUserAction: pathOf(UserActivityLedgerService.method.recordUserAction),
  streamUserActions: pathOf(UserActivityLedgerService.method.streamUserActions),
  checkWrite: pathOf(ParameterChangeAuditorService.method.checkWrite),
  getBotConfig: pathOf(BotConfigService.method.getBotConfig),
};

function pathOf(descriptor: DescMethod): string {
  return `/${descriptor.parent.typeName}/${descriptor.name}`;
}
