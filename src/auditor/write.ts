import type { Timestamp, Value } from "@bufbuild/protobuf/wkt";
import { type ExactJson, type JsonProblem, scanJson } from "../exact/json.ts";
import { sameAsDoubles, valueToExact } from "../exact/value.ts";
import { acceptJson, optionalText, optionalTimeNs, requiredText } from "../server/bounds.ts";
import { invalidField } from "../server/failure.ts";
import type { Masking } from "./secrets/masking.ts";
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
  /** Why the write cannot wait for a ticket; null: it is not break-glass. */
  readonly breakGlassReason: string | null;
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
const breakGlassReasonMaxBytes = 1024;
export const valueLimits = { maxBytes: 256 * 1024, maxDepth: 32, root: "any" } as const;

/** The write, every field inside its bound; `masking` keeps secrets out of what is said to be wrong. */
export function parseWrite(fields: WriteFields, masking: Masking): Write {
  const botSlug = requiredText("bot_slug", fields.botSlug, botSlugMaxBytes);
  const paramName = requiredText("param_name", fields.paramName, paramNameMaxBytes);
  const editorId = requiredText("editor_id", fields.editorId, editorMaxBytes);
  const names = { botSlug, paramName, botKey: nameKey(botSlug), paramKey: nameKey(paramName) };
  const shownPath = (pointer: string) => masking.path(names, pointer);
  const oldValue = parseValue("old_value", fields.oldValue, fields.oldValueJson, shownPath);
  const newValue = parseValue("new_value", fields.newValue, fields.newValueJson, shownPath);
  const reason = optionalText("break_glass_reason", fields.breakGlassReason, breakGlassReasonMaxBytes);
  return {
    ...names,
    oldValue: oldValue.value,
    newValue: newValue.value,
    inexact: [...oldValue.inexact, ...newValue.inexact],
    editorId,
    ticketRef: optionalText("ticket_ref", fields.ticketRef, ticketMaxBytes),
    environment: optionalText("environment", fields.environment, environmentMaxBytes),
    writeId: optionalText("write_id", fields.writeId, writeIdMaxBytes),
    traceId: optionalText("trace_id", fields.traceId, 128),
    changedAtNs: optionalTimeNs("changed_at", fields.changedAt),
    // Blanks are no reason, whatever an empty box sends.
    breakGlassReason: reason === null || reason.trim() === "" ? null : reason,
  };
}

/**
 * A value that came as google.protobuf.Value, as exact text or as both. `shownPath` says of the place of a
 * mistake what may be told.
 */
export function parseValue(
  field: string,
  value: Value | undefined,
  text: string | undefined,
  shownPath: (pointer: string) => string,
): { value: ExactJson | null; inexact: readonly string[] } {
  if (text !== undefined) {
    const exact = acceptJson(`${field}_json`, shown(scanJson(text, valueLimits), shownPath)).value;
    if (
      value !== undefined &&
      !sameAsDoubles(exact, acceptJson(field, shown(valueToExact(value, valueLimits), shownPath)).value)
    ) {
      throw invalidField(`${field}_json`, `is not the same value as ${field}; send one of them`);
    }
    return { value: exact, inexact: [] };
  }
  if (value === undefined) return { value: null, inexact: [] };
  const accepted = acceptJson(field, shown(valueToExact(value, valueLimits), shownPath));
  return { value: accepted.value, inexact: accepted.inexact.map((pointer) => `/${field}${pointer}`) };
}

function shown<T extends { readonly kind: "ok" }>(
  result: T | { readonly kind: "bad"; readonly problem: JsonProblem },
  shownPath: (pointer: string) => string,
): T | { readonly kind: "bad"; readonly problem: JsonProblem } {
  if (result.kind === "ok") return result;
  const { path, message } = result.problem;
  return { kind: "bad", problem: { path: shownPath(path), message } };
}
