import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CheckWriteRequestSchema } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import type { RawObject } from "../rawObject.ts";
import { optionalText, optionalTime, requiredText } from "./fields.ts";

/** A write to ask about. */
export type WriteFields = Omit<MessageInitShape<typeof CheckWriteRequestSchema>, "$typeName"> & {
  readonly botSlug: string;
  readonly paramName: string;
};

/** Whether a row looks like a parameter change. */
export function isParameterChange(row: RawObject): boolean {
  return row.keys.includes("bot_slug") && row.keys.includes("param_name");
}

/**
 * A parameter change whose values are JSON as text, as the write it was. A value that is null or absent is
 * none; one that is the text "null" is null. Keys it does not know stay behind. Throws a BadRow.
 */
export function parameterChange(row: RawObject, writeId: string): WriteFields {
  const oldValueJson = optionalText(row, "old_value");
  const newValueJson = optionalText(row, "new_value");
  const ticketRef = optionalText(row, "ticket_ref");
  const environment = optionalText(row, "environment");
  const traceId = optionalText(row, "trace_id");
  const changedAt = optionalTime(row, "changed_at");
  return {
    botSlug: requiredText(row, "bot_slug"),
    paramName: requiredText(row, "param_name"),
    ...(oldValueJson === undefined ? {} : { oldValueJson }),
    ...(newValueJson === undefined ? {} : { newValueJson }),
    editorId: requiredText(row, "editor_id"),
    ...(ticketRef === undefined ? {} : { ticketRef }),
    ...(environment === undefined ? {} : { environment }),
    ...(traceId === undefined ? {} : { traceId }),
    ...(changedAt === undefined ? {} : { changedAt }),
    writeId,
  };
}
