import type {
  BotParameter,
  UpdateBotConfigRequest,
  UpdateBotConfigResponse,
} from "../../gen/ts/polytraders/governance/v1/bot_config_pb.ts";
import { verdictOf } from "../auditor/checkWrite.ts";
import type { Gate } from "../auditor/gate.ts";
import type { BotId } from "../configFile.ts";
import type { CallContext } from "../server/call.ts";
import { Failure } from "../server/failure.ts";
import { BelowFloor, type Change, parseChange, writeOf } from "./change.ts";
import type { Floors } from "./floors.ts";
import type { Settings } from "./settings.ts";
import type { ConfigStore } from "./store.ts";

/** What UpdateBotConfig closes over. */
export type UpdateDependencies = {
  readonly gate: Gate;
  readonly settings: Settings;
  readonly store: ConfigStore;
  /** The parameter as it is in force. */
  readonly describe: (botId: BotId, paramName: string) => BotParameter;
  /** Told of each change that is refused because of a floor. */
  readonly floors: Pick<Floors, "refused">;
  /** Called when a change and its confirmation are committed. */
  readonly onStored: () => void;
  /** Puts on record that an allowed change was not made; `subject` asked for it. */
  readonly abort: (decisionId: string, subject: string) => Promise<unknown>;
};

/**
 * UpdateBotConfig: thresholds first, then the gate as for any write. The decision is on record before the
 * value is stored, and the value is in force on this replica before the answer goes out.
 */
export function createUpdate(dependencies: UpdateDependencies) {
  const { gate, settings, store } = dependencies;

  async function parse(request: UpdateBotConfigRequest, { caller, requestId }: CallContext): Promise<Change> {
    try {
      return parseChange(request);
    } catch (cause) {
      if (cause instanceof BelowFloor) {
        await dependencies.floors.refused(cause, { subject: caller.subject, requestId });
      }
      throw cause;
    }
  }

  return async (request: UpdateBotConfigRequest, context: CallContext): Promise<UpdateBotConfigResponse> => {
    const change = await parse(request, context);
    const { decided, stored } = await store.inTurn(async (turn) => {
      // Another replica's change of a moment ago counts, both as the old value and for the policy.
      settings.adopt(turn.stored);
      const write = writeOf(change, context.caller.subject, settings.inForce());
      const decided = await gate.decideAndRecord(write, context.caller.subject);
      if (decided.kind === "buffered" && decided.record.allowed) {
        // It will be on record that the change was allowed: so will be that it was not made.
        await dependencies.abort(decided.record.recordId, context.caller.subject);
      }
      if (decided.kind !== "recorded") throw notRecorded();
      if (!decided.record.allowed) return { decided, stored: turn.stored };
      return { decided, stored: await turn.store(decided.record.recordId, change.editorId) };
    });
    settings.adopt(stored);
    if (decided.record.allowed) dependencies.onStored();
    return {
      $typeName: "polytraders.governance.v1.UpdateBotConfigResponse",
      verdict: verdictOf(decided),
      parameter: dependencies.describe(change.botId, change.paramName),
    };
  };
}

function notRecorded(): Failure {
  const text = "the decision cannot be recorded now, and the parameter was not changed; try again";
  return new Failure("STORE_UNAVAILABLE", text, { retryAfterMs: 1000 });
}
