import type { JsonObject } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { type ExactJson, scanJson } from "../exact/json.ts";
import { sameAsDoubles, structToExact } from "../exact/value.ts";
import { acceptJson, optionalText, optionalTimeNs, requiredText, requiredWallet } from "../server/bounds.ts";
import { invalidField } from "../server/failure.ts";

/** A user action as it came, every field inside its bound. */
export type Action = {
  readonly eventId: string;
  /** In the form it came; compares in lower case. */
  readonly wallet: string;
  readonly sessionId: string;
  readonly actionType: string;
  readonly traceId: string | null;
  /** null when none were sent; JSON null is a value. */
  readonly params: ExactJson | null;
  /** JSON Pointers of numbers that came as doubles beyond 2^53. */
  readonly inexact: readonly string[];
  readonly occurredAtNs: bigint | null;
  readonly sessionSeq: bigint | null;
};

/** The fields that RecordUserActionRequest and UserAction share. */
export type ActionFields = {
  eventId: string;
  wallet: string;
  sessionId: string;
  actionType: string;
  params?: JsonObject | undefined;
  traceId: string;
  paramsJson?: string | undefined;
  occurredAt?: Timestamp | undefined;
  sessionSeq: bigint;
};

export const idMaxBytes = 128;
const paramsLimits = { maxBytes: 64 * 1024, maxDepth: 32, root: "object-or-null" } as const;
const actionTypePattern = /^[A-Z][A-Z0-9_]{0,63}$/;

/** Checks an action's fields. `path` is put before a field's name in errors, e.g. "actions[3].". */
export function parseAction(fields: ActionFields, path: string): Action {
  const eventId = requiredText(`${path}event_id`, fields.eventId, idMaxBytes);
  const wallet = requiredWallet(`${path}wallet`, fields.wallet);
  const sessionId = requiredText(`${path}session_id`, fields.sessionId, idMaxBytes);
  const actionType = requiredActionType(`${path}action_type`, fields.actionType);
  const traceId = optionalText(`${path}trace_id`, fields.traceId, idMaxBytes);
  const occurredAtNs = optionalTimeNs(`${path}occurred_at`, fields.occurredAt);
  if (fields.sessionSeq < 0n) throw invalidField(`${path}session_seq`, "must be 1 or more, or 0 for none");
  const sessionSeq = fields.sessionSeq === 0n ? null : fields.sessionSeq;
  const { params, inexact } = parseParams(fields, path);
  return { eventId, wallet, sessionId, actionType, traceId, params, inexact, occurredAtNs, sessionSeq };
}

/** An action type, known or not (R8). */
export function requiredActionType(field: string, value: string): string {
  if (!actionTypePattern.test(value)) {
    throw invalidField(
      field,
      "must be upper case letters, digits and _, 1 to 64 of them, e.g. STRATEGY_START",
    );
  }
  return value;
}

const none: readonly string[] = [];

function parseParams(fields: ActionFields, path: string): Pick<Action, "params" | "inexact"> {
  if (fields.paramsJson !== undefined) {
    const exact = acceptJson(`${path}params_json`, scanJson(fields.paramsJson, paramsLimits)).value;
    if (fields.params !== undefined) {
      const sent = acceptJson(`${path}params`, structToExact(fields.params, paramsLimits)).value;
      if (!sameAsDoubles(exact, sent)) {
        throw invalidField(`${path}params_json`, "is not the same value as params; send one of them");
      }
    }
    return { params: exact, inexact: none };
  }
  if (fields.params === undefined) return { params: null, inexact: none };
  const { value, inexact } = acceptJson(`${path}params`, structToExact(fields.params, paramsLimits));
  return { params: value, inexact };
}
