import {
  type BotParameter,
  ConfigSource,
  type GetBotConfigRequest,
  type GetBotConfigResponse,
} from "../../gen/ts/polytraders/governance/v1/bot_config_pb.ts";
import { BotConfigService } from "../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { type BotId, type ConfigFile, isBotId, parameterNames } from "../configFile.ts";
import { exactToValue } from "../exact/value.ts";
import { type Rpc, unary } from "../server/call.ts";
import { invalidField } from "../server/failure.ts";
import { version } from "../version.ts";
import { parameterMessages, warningOf } from "./parameters.ts";
import { createUpdate, type UpdateDependencies } from "./update.ts";

const readBudgetMs = 1000;
/** A change waits for its turn, for its decision and for its commit: 1 s each at most. */
const updateBudgetMs = 5000;

const sources = {
  default: ConfigSource.DEFAULT,
  file: ConfigSource.FILE,
  stored: ConfigSource.STORED,
};

/** The two bots' own parameters (spec 001 and 002 §6, §8). `defaults` are the specifications'. */
export function createBotConfig(
  dependencies: Omit<UpdateDependencies, "describe"> & { readonly defaults: ConfigFile },
): readonly Rpc[] {
  const { settings, defaults } = dependencies;

  function describe(botId: BotId, paramName: string): BotParameter {
    const inForce = settings.inForce();
    const values: Readonly<Record<string, unknown>> = inForce.values[botId];
    const standard: Readonly<Record<string, unknown>> = defaults[botId];
    const messages: Readonly<Record<string, string>> = parameterMessages[botId];
    return {
      $typeName: "polytraders.governance.v1.BotParameter",
      paramName,
      value: exactToValue(JSON.stringify(values[paramName] ?? null)),
      source: sources[inForce.source(botId, paramName)],
      defaultValue: exactToValue(JSON.stringify(standard[paramName] ?? null)),
      userMessage: messages[paramName] ?? "",
      warning: warningOf(paramName, values[paramName]),
    };
  }

  async function getBotConfig({ botId }: GetBotConfigRequest): Promise<GetBotConfigResponse> {
    if (!isBotId(botId)) {
      throw invalidField("bot_id", "must be gov.useractivityledger or gov.parameterchangeauditor");
    }
    return {
      $typeName: "polytraders.governance.v1.GetBotConfigResponse",
      botId,
      version,
      parameters: parameterNames(botId).map((paramName) => describe(botId, paramName)),
    };
  }

  const { method } = BotConfigService;
  return [
    unary(method.getBotConfig, readBudgetMs, getBotConfig),
    unary(method.updateBotConfig, updateBudgetMs, createUpdate({ ...dependencies, describe })),
  ];
}
