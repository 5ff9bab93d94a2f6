import type { Timestamp, Value } from "@bufbuild/protobuf/wkt";
import { type ExactJson, scanJson } from "../exact/json.ts";
import { sameAsDoubles, valueToExact } from "../exact/value.ts";
import { acceptJson, optionalText, optionalTimeNs, requiredText } from "../server/bounds.ts";
import { invalidField } from "../server/failure.ts";
import { nameKey } from "./tiers.ts";

/** A configuration write as it came, every field inside its bound. */
export type Write = {
  readonly botSlug: string;
  readonly paramName: string;
  /** The names as they compare (R24). */
  readonly botKey: string;
  readonly paramKey: string;
  /** null when there is none; JSON null is a value. */
  readonly oldValue: ExactJson | null;
  readonly newValue: ExactJson | null;
  /** JSON Pointers, below /old_value and /new_value, of numbers that came as doubles beyond 2^53. */
  readonly inexact: readonly string[];
  readonly editorId: string;
  readonly ticketRef: string | null;
  readonly environment: string | null;
  readonly writeId: string | null;
  readonly traceId: string | null;
  readonly changedAtNs: bigint | null;
};

type WriteFields = {
  botSlug: string;
  paramName: string;
  oldValue?: Value | undefined;
  newValue?: Value | undefined;
  oldValueJson?: string | undefined;
  newValueJson?: string | undefined;
  editorId: string;
  ticketRef?: string | undefined;
  environment?: string | undefined;
  writeId: string;
  traceId: string;
  changedAt?: Timestamp | undefined;
  breakGlassReason: string;
};

export const botSlugMaxBytes = 128;
export const paramNameMaxBytes = 512;
export const editorMaxBytes = 256;
export const ticketMaxBytes = 256;
export const environmentMaxBytes = 64;
export const writeIdMaxBytes = 256;
export const valueLimits = { maxBytes: 256 * 1024, maxDepth: 32, root: "any" } as const;

export function parseWrite(fields: WriteFields): Write {
  const botSlug = requiredText("bot_slug", fields.botSlug, botSlugMaxBytes);
  const paramName = requiredText("param_name", fields.paramName, paramNameMaxBytes);
  const editorId = requiredText("editor_id", fields.editorId, editorMaxBytes);
  const oldValue = parseValue("old_value", fields.oldValue, fields.oldValueJson);
  const newValue = parseValue("new_value", fields.newValue, fields.newValueJson);
  optionalText("break_glass_reason", fields.breakGlassReason, 1024); // Its role's verdicts are of a later version.
  return {
    botSlug,
    paramName,
    botKey: nameKey(botSlug),
    paramKey: nameKey(paramName),
    oldValue: oldValue.value,
    newValue: newValue.value,
    inexact: [...oldValue.inexact, ...newValue.inexact],
    editorId,
    ticketRef: optionalText("ticket_ref", fields.ticketRef, ticketMaxBytes),
    environment: optionalText("environment", fields.environment, environmentMaxBytes),
    writeId: optionalText("write_id", fields.writeId, writeIdMaxBytes),
    traceId: optionalText("trace_id", fields.traceId, 128),
    changedAtNs: optionalTimeNs("changed_at", fields.changedAt),
  };
}

/** A value that came as google.protobuf.Value, as exact text or as both. */
export function parseValue(
  field: string,
  value: Value | undefined,
  text: string | undefined,
): { value: ExactJson | null; inexact: readonly string[] } {
  if (text !== undefined) {
    const exact = acceptJson(`${field}_json`, scanJson(text, valueLimits)).value;
    if (
      value !== undefined &&
      !sameAsDoubles(exact, acceptJson(field, valueToExact(value, valueLimits)).value)
    ) {
      throw invalidField(`${field}_json`, `is not the same value as ${field}; send one of them`);
    }
    return { value: exact, inexact: [] };
  }
  if (value === undefined) return { value: null, inexact: [] };
  const accepted = acceptJson(field, valueToExact(value, valueLimits));
  return { value: accepted.value, inexact: accepted.inexact.map((pointer) => `/${field}${pointer}`) };
}
