import type { JsonValue } from "@bufbuild/protobuf";
import {
  type BotParameter,
  ConfigSource,
  type GetBotConfigRequest,
  type GetBotConfigResponse,
} from "../../gen/ts/polytraders/governance/v1/bot_config_pb.ts";
import { BotConfigService } from "../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { auditorBotId } from "../auditor/report.ts";
import type { ConfigFile, ConfigFileKeys } from "../configFile.ts";
import { exactToValue } from "../exact/value.ts";
import { ledgerBotId } from "../ledger/report.ts";
import { type Rpc, unary } from "../server/call.ts";
import { invalidField } from "../server/failure.ts";
import { version } from "../version.ts";
import { parameterMessages, warningOf } from "./parameters.ts";

/** The two bots' own parameters (spec §6 and §8). */
export function createBotConfig(file: ConfigFile, defaults: ConfigFile, set: ConfigFileKeys): readonly Rpc[] {
  function parametersOf(botId: keyof typeof parameterMessages): BotParameter[] {
    const values: Record<string, JsonValue> = file[botId];
    const defaultValues: Record<string, JsonValue> = defaults[botId];
    return Object.entries(parameterMessages[botId]).map(([paramName, userMessage]) => ({
      $typeName: "polytraders.governance.v1.BotParameter",
      paramName,
      value: exactToValue(JSON.stringify(values[paramName] ?? null)),
      source: set[botId]?.has(paramName) ? ConfigSource.FILE : ConfigSource.DEFAULT,
      defaultValue: exactToValue(JSON.stringify(defaultValues[paramName] ?? null)),
      userMessage,
      warning: warningOf(paramName, values[paramName]),
    }));
  }

  async function getBotConfig(request: GetBotConfigRequest): Promise<GetBotConfigResponse> {
    const { botId } = request;
    if (botId !== ledgerBotId && botId !== auditorBotId) {
      throw invalidField("bot_id", `must be ${ledgerBotId} or ${auditorBotId}`);
    }
    return {
      $typeName: "polytraders.governance.v1.GetBotConfigResponse",
      botId,
      version,
      parameters: parametersOf(botId),
    };
  }

  return [unary(BotConfigService.method.getBotConfig, 1000, getBotConfig)];
}
