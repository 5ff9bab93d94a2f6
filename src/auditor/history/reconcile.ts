import type {
  LiveValue,
  ReconcileConfigRequest,
  ReconcileConfigResponse,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type ExactJson, scanJson } from "../../exact/json.ts";
import { textOfFilters } from "../../log/filters.ts";
import { userMessages } from "../../reasonCodes.ts";
import { optionalText, requiredText } from "../../server/bounds.ts";
import type { CallContext } from "../../server/call.ts";
import { Failure, invalidField } from "../../server/failure.ts";
import type { AuditorDependencies } from "../dependencies.ts";
import type { Masking } from "../secrets/masking.ts";
import { nameKey } from "../tiers.ts";
import {
  botSlugMaxBytes,
  environmentMaxBytes,
  paramNameMaxBytes,
  parseValue,
  valueLimits,
} from "../write.ts";
import { answerMaxBytes } from "./configAsOf.ts";
import type { DriftRow } from "./drift.ts";
import { readConfig, type ValueInForce } from "./readConfig.ts";
import { stored } from "./stored.ts";

const methodName = "ParameterChangeAuditorService/ReconcileConfig";
const liveValuesMax = 10_000;
/** What is read to compare with, at most; ten times what a message can bring. */
const recordedMaxBytes = 40 * 1024 * 1024;
const recordWithinMs = 5_000;
/** Masking makes a value three times as long at most. */
const maskedMaxBytes = 4 * valueLimits.maxBytes;

/**
 * ReconcileConfig: live values against the recorded ones in force now (R17). Each difference is on record
 * before it is answered. Throws LIMIT_EXCEEDED, STORE_UNAVAILABLE.
 */
export function createReconcileConfig(dependencies: AuditorDependencies) {
  const { accessLog, sequencer, limits, pool, clock, masking } = dependencies;

  return async (request: ReconcileConfigRequest, context: CallContext): Promise<ReconcileConfigResponse> => {
    const botSlug = requiredText("bot_slug", request.botSlug, botSlugMaxBytes);
    const botKey = nameKey(botSlug);
    const environment = optionalText("environment", request.environment, environmentMaxBytes);
    const live = parseLiveValues(request.liveValues, botKey, masking);
    // Whoever compares learns what is on record.
    await accessLog.allowed(context, methodName, textOfFilters({ botKey, environment }));

    const through = await sequencer.catchUp(limits.listCatchUpMs);
    const question = { botKey, environment, through, throughNs: null, maxBytes: recordedMaxBytes };
    const nowNs = BigInt(clock.nowMicros()) * 1000n;
    const recorded = (await readConfig(pool, { ...question, basis: "ACCEPTED" }, nowNs)).map((value) => ({
      ...value,
      // What was recorded before it counted as a secret compares all the same, and is not told any more.
      valueText: masking.storedText({ ...value, botKey }, value.valueText),
    }));
    const { drifts, compared } = compare(recorded, live);
    refuseTooLong(drifts);
    if (drifts.length > 0) {
      const about = { botSlug, botKey, environment, recordedBy: context.caller.subject };
      await record(
        drifts.map((drift) => ({
          ...about,
          ...drift,
          recordId: dependencies.recordId(),
          acceptedMicros: clock.nowMicros(),
        })),
        dependencies,
      );
    }
    return {
      $typeName: "polytraders.governance.v1.ReconcileConfigResponse",
      drifts: drifts.map(({ paramName, recordedText, liveText }) => ({
        $typeName: "polytraders.governance.v1.ConfigDrift",
        paramName,
        ...(recordedText === null ? {} : { recordedJson: recordedText }),
        ...(liveText === null ? {} : { liveJson: liveText }),
      })),
      compared,
    };
  };
}

type LiveParameter = { readonly paramName: string; readonly value: ExactJson | null };

/** By the name as it compares, without secrets. */
function parseLiveValues(
  liveValues: readonly LiveValue[],
  botKey: string,
  masking: Masking,
): ReadonlyMap<string, LiveParameter> {
  if (liveValues.length > liveValuesMax) {
    throw invalidField(
      "live_values",
      `has ${liveValues.length} values; at most ${liveValuesMax} are compared`,
    );
  }
  const parameters = new Map<string, LiveParameter>();
  for (const [i, live] of liveValues.entries()) {
    const field = `live_values[${i}]`;
    const paramName = requiredText(`${field}.param_name`, live.paramName, paramNameMaxBytes);
    const paramKey = nameKey(paramName);
    const namesake = parameters.get(paramKey);
    if (namesake !== undefined) {
      const what = `is the same parameter as ${JSON.stringify(namesake.paramName)}`;
      throw invalidField(`${field}.param_name`, `${what}: case, "_" and "-" do not count`);
    }
    const names = { paramName, botKey, paramKey };
    const shownPath = (pointer: string) => masking.path(names, pointer);
    const { value } = parseValue(`${field}.value`, live.value, live.valueJson, shownPath);
    parameters.set(paramKey, { paramName, value: value && masking.value(names, value) });
  }
  return parameters;
}

type Drift = Pick<DriftRow, "paramName" | "paramKey" | "decisionId" | "recordedText" | "liveText">;

function compare(
  recorded: readonly ValueInForce[],
  live: ReadonlyMap<string, LiveParameter>,
): { readonly drifts: readonly Drift[]; readonly compared: number } {
  const drifts: Drift[] = [];
  const known = new Set<string>();
  for (const { paramKey, paramName, valueText, decisionId } of recorded) {
    known.add(paramKey);
    const value = live.get(paramKey)?.value ?? null;
    if (value !== null && isSame(valueText, value)) continue;
    drifts.push({ paramKey, paramName, decisionId, recordedText: valueText, liveText: value?.text ?? null });
  }
  for (const [paramKey, { paramName, value }] of live) {
    if (known.has(paramKey)) continue;
    known.add(paramKey);
    if (value === null) continue;
    drifts.push({ paramKey, paramName, decisionId: null, recordedText: null, liveText: value.text });
  }
  return { drifts, compared: known.size };
}

/** The same value: 1.0 and 1 are, and members may stand in any order. */
function isSame(recordedText: string, live: ExactJson): boolean {
  if (recordedText === live.text) return true;
  const recorded = scanJson(recordedText, { ...valueLimits, maxBytes: maskedMaxBytes });
  return recorded.kind === "ok" && recorded.value.canonical === live.canonical;
}

/** Refused before anything is on record: an answer that its caller cannot take would tell nothing. */
function refuseTooLong(drifts: readonly Drift[]): void {
  const bytesOf = (text: string | null) => (text === null ? 0 : Buffer.byteLength(text));
  const bytes = drifts.reduce(
    (sum, drift) =>
      sum + 64 + bytesOf(drift.paramName) + bytesOf(drift.recordedText) + bytesOf(drift.liveText),
    0,
  );
  if (bytes <= answerMaxBytes) return;
  throw new Failure(
    "LIMIT_EXCEEDED",
    `the differences have more than ${answerMaxBytes} bytes; compare with GetConfigAsOf and ListParameterChanges`,
  );
}

/** A drift's names in one log record, at most. */
const loggedNamesMax = 20;

async function record(rows: readonly DriftRow[], dependencies: AuditorDependencies): Promise<void> {
  const [first] = rows;
  if (first === undefined) return;
  const told = async () => {
    await dependencies.drifts.append(first.botKey, rows);
    dependencies.sequencer.nudge();
    dependencies.onDrift(rows.length);
    const reasonCode = "CONFIG_DRIFT_DETECTED";
    const paramNames = rows.slice(0, loggedNamesMax).map((row) => row.paramName);
    const { botSlug, environment, recordedBy } = first;
    dependencies.log.warn(
      { reasonCode, botSlug, environment, recordedBy, drifts: rows.length, paramNames },
      userMessages[reasonCode],
    );
  };
  await stored(told(), recordWithinMs);
}
