import type { UpdateBotConfigRequest } from "../../gen/ts/polytraders/governance/v1/bot_config_pb.ts";
import { nameKey } from "../auditor/tiers.ts";
import { editorMaxBytes, ticketMaxBytes, type Write } from "../auditor/write.ts";
import { type BotId, isBotId, parameterNames, valueProblem } from "../configFile.ts";
import { type ExactJson, scanJson } from "../exact/json.ts";
import { valueToExact } from "../exact/value.ts";
import { retainDaysFloor } from "../ledger/retention.ts";
import type { ReasonCode } from "../reasonCodes.ts";
import { acceptJson, optionalText, requiredText } from "../server/bounds.ts";
import { Failure, invalidField } from "../server/failure.ts";
import type { InForce } from "./inForce.ts";

/** A change of a bot's own parameter, every field inside its bound and the value one of the parameter's. */
export type Change = {
  readonly botId: BotId;
  readonly paramName: string;
  readonly value: ExactJson;
  /** Whom the request names: a claim. */
  readonly editorId: string;
  readonly ticketRef: string | null;
};

const valueLimits = { maxBytes: 4096, maxDepth: 32 } as const;

/** Throws INVALID_FIELD, and BelowFloor where the value is too low in any mode (R2, R3). */
export function parseChange(request: UpdateBotConfigRequest): Change {
  const { botId, paramName } = request;
  if (!isBotId(botId)) {
    throw invalidField("bot_id", "must be gov.useractivityledger or gov.parameterchangeauditor");
  }
  const names = parameterNames(botId);
  if (!names.includes(paramName)) throw invalidField("param_name", `must be one of ${names.join(", ")}`);
  if (request.value === undefined) throw invalidField("value", "is required");
  const editorId = requiredText("editor_id", request.editorId, editorMaxBytes);
  const ticketRef = optionalText("ticket_ref", request.ticketRef, ticketMaxBytes);
  const { value } = acceptJson("value", valueToExact(request.value, valueLimits));
  const plain: unknown = JSON.parse(value.text);
  refuseBelowFloor(botId, paramName, plain);
  const problem = valueProblem(botId, paramName, plain);
  if (problem !== undefined) throw invalidField("value", `does not fit ${paramName}: ${problem}`);
  return { botId, paramName, value, editorId, ticketRef };
}

/** A value below a floor: refused in either mode, and never stored. */
export class BelowFloor extends Failure {
  readonly botId: BotId;
  readonly paramName: string;
  readonly value: number;
  /** What is emitted because of it. */
  readonly codes: readonly ReasonCode[];

  constructor(botId: BotId, paramName: string, value: number, least: number, codes: readonly ReasonCode[]) {
    const text = `value is below the least that ${paramName} may be: ${least} days`;
    super("RETENTION_BELOW_REGULATORY_MINIMUM", text, { field: "value" });
    this.botId = botId;
    this.paramName = paramName;
    this.value = value;
    this.codes = codes;
  }
}

/** Parameter changes are kept no shorter, whatever is asked for (R3). */
const retainHistoryDaysFloor = 365;
/** Below this it is warned of as well (spec 002 §7). */
const retainHistoryDaysWarning = 90;

/** Throws BelowFloor. */
export function refuseBelowFloor(botId: BotId, paramName: string, value: unknown): void {
  if (typeof value !== "number") return;
  if (paramName === "retain_days" && value < retainDaysFloor) {
    throw new BelowFloor(botId, paramName, value, retainDaysFloor, ["RETENTION_BELOW_REGULATORY_MINIMUM"]);
  }
  if (paramName === "retain_history_days" && value < retainHistoryDaysFloor) {
    const codes = value < retainHistoryDaysWarning ? (["AUDIT_RETENTION_WARN"] as const) : [];
    throw new BelowFloor(botId, paramName, value, retainHistoryDaysFloor, codes);
  }
}

/** The change as a write for the gate: by the token's subject, in place of what is in force. */
export function writeOf(change: Change, subject: string, before: InForce): Write {
  const values: Readonly<Record<string, unknown>> = before.values[change.botId];
  const scanned = scanJson(JSON.stringify(values[change.paramName]), { ...valueLimits, root: "any" });
  return {
    botSlug: change.botId,
    paramName: change.paramName,
    botKey: nameKey(change.botId),
    paramKey: nameKey(change.paramName),
    oldValue: acceptJson("value", scanned).value,
    newValue: change.value,
    inexact: [],
    editorId: subject,
    ticketRef: change.ticketRef,
    environment: null,
    writeId: null,
    traceId: null,
    changedAtNs: null,
    breakGlassReason: null,
  };
}
