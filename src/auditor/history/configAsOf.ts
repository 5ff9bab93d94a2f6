import {
  ConfigBasis,
  type ConfigValue,
  type GetConfigAsOfRequest,
  type GetConfigAsOfResponse,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { textOfFilters } from "../../log/filters.ts";
import { optionalTimeNs, requiredText } from "../../server/bounds.ts";
import type { CallContext } from "../../server/call.ts";
import { invalidField } from "../../server/failure.ts";
import { timestampOfMicros } from "../../time.ts";
import type { AuditorDependencies } from "../dependencies.ts";
import { nameKey } from "../tiers.ts";
import { botSlugMaxBytes } from "../write.ts";
import { type ConfigQuestion, readConfig, type ValueInForce } from "./readConfig.ts";

const methodName = "ParameterChangeAuditorService/GetConfigAsOf";

/** gRPC clients take 4 MiB in a message. */
export const answerMaxBytes = 3_500_000;

/** GetConfigAsOf: the configuration of a bot at a time (R17). */
export function createGetConfigAsOf(dependencies: AuditorDependencies) {
  const { accessLog, sequencer, limits, pool, clock } = dependencies;

  return async (request: GetConfigAsOfRequest, context: CallContext): Promise<GetConfigAsOfResponse> => {
    const botKey = nameKey(requiredText("bot_slug", request.botSlug, botSlugMaxBytes));
    const throughNs = optionalTimeNs("time", request.time);
    const basis = basisOf(request.basis);
    await accessLog.allowed(context, methodName, textOfFilters({ botKey, timeNs: throughNs, basis }));

    const through = await sequencer.catchUp(limits.listCatchUpMs);
    const question = { botKey, basis, throughNs, environment: null, through, maxBytes: answerMaxBytes };
    const values = await readConfig(pool, question, BigInt(clock.nowMicros()) * 1000n);
    return {
      $typeName: "polytraders.governance.v1.GetConfigAsOfResponse",
      values: values.map(wireValue),
    };
  };
}

function basisOf(basis: ConfigBasis): ConfigQuestion["basis"] {
  switch (basis) {
    case ConfigBasis.UNSPECIFIED:
    case ConfigBasis.ACCEPTED:
      return "ACCEPTED";
    case ConfigBasis.CHANGED:
      return "CHANGED";
    default:
      throw invalidField("basis", "must be CONFIG_BASIS_ACCEPTED or CONFIG_BASIS_CHANGED, or absent");
  }
}

function wireValue(value: ValueInForce): ConfigValue {
  return {
    $typeName: "polytraders.governance.v1.ConfigValue",
    paramName: value.paramName,
    valueJson: value.valueText,
    decisionId: value.decisionId,
    unconfirmed: value.unconfirmed,
    acceptedAt: timestampOfMicros(value.acceptedMicros),
  };
}
