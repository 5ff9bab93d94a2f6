import type { MessageInitShape } from "@bufbuild/protobuf";
import type { UserActionSchema } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { RawObject } from "../rawObject.ts";
import { BadRow, onlyKeys, optionalInteger, optionalText, optionalTime, requiredText } from "./fields.ts";

/** A user action to send; RecordUserActionRequest has the same fields. */
export type ActionFields = Omit<MessageInitShape<typeof UserActionSchema>, "$typeName">;

const keys = [
  "event_id",
  "wallet",
  "session_id",
  "action_type",
  "params",
  "params_json",
  "trace_id",
  "occurred_at",
  "session_seq",
];

/** Whether a row looks like one of ours. */
export function isUserAction(row: RawObject): boolean {
  return row.keys.includes("event_id") && row.keys.includes("action_type");
}

/** A user action as spec 001 §11 prints it; `params` goes on digit for digit. Throws a BadRow. */
export function userAction(row: RawObject): ActionFields {
  onlyKeys(row, keys);
  const params = row.raw("params");
  const paramsText = optionalText(row, "params_json");
  if (params !== undefined && paramsText !== undefined)
    throw new BadRow("params and params_json: send one of them");
  const paramsJson = params ?? paramsText;
  const traceId = optionalText(row, "trace_id");
  const occurredAt = optionalTime(row, "occurred_at");
  const sessionSeq = optionalInteger(row, "session_seq");
  return {
    eventId: requiredText(row, "event_id"),
    wallet: requiredText(row, "wallet"),
    sessionId: requiredText(row, "session_id"),
    actionType: requiredText(row, "action_type"),
    ...(paramsJson === undefined ? {} : { paramsJson }),
    ...(traceId === undefined ? {} : { traceId }),
    ...(occurredAt === undefined ? {} : { occurredAt }),
    ...(sessionSeq === undefined ? {} : { sessionSeq }),
  };
}
