import type { KeyObject } from "node:crypto";
import { type ExactJson, scanJson } from "../../exact/json.ts";
import { clipPointer } from "../../exact/pointer.ts";
import type { Pattern } from "../tiers.ts";
import type { Write } from "../write.ts";
import { cutAtSecret, type Masked, maskSecrets } from "./mask.ts";
import { isSecret, isSecretName } from "./names.ts";

/** A write without its secrets: what may be stored, reported and logged. */
export type MaskedWrite = Write & {
  /** JSON Pointers, starting with /old_value or /new_value, of what was masked: the first 1,000. */
  readonly maskedPaths: readonly string[];
};

/** A parameter, by its name and as both names compare (R24). */
type Parameter = { readonly paramName: string; readonly botKey: string; readonly paramKey: string };

/** Takes secrets out of what comes in, before anything else is done with it but deciding. */
export type Masking = {
  write(write: Write): MaskedWrite;
  /** One value of the parameter. */
  value(parameter: Parameter, value: ExactJson): ExactJson;
  /** A value from a record, which was masked by what counted as a secret then. */
  storedText(parameter: Parameter, text: string): string;
  /** The path of a mistake in a value of the parameter, without what stands inside a secret. */
  path(parameter: Parameter, pointer: string): string;
};

const pathsMax = 1_000;

/**
 * Secrets are the parameters that one of the patterns in force names or whose own name says so, and the members of
 * values whose name says so.
 */
export function createMasking(patterns: () => readonly Pattern[], key: KeyObject): Masking {
  const isNamed = ({ botKey, paramKey }: Parameter) =>
    patterns().some((pattern) => pattern.matches(botKey, paramKey));
  const masked = (parameter: Parameter, value: ExactJson, stored = false) =>
    maskSecrets(value, key, isNamed(parameter) || isSecret(parameter.paramName, value.text), stored);

  return {
    write(write) {
      const mask = (value: ExactJson | null) => value && masked(write, value);
      const [before, after] = [mask(write.oldValue), mask(write.newValue)];
      const paths = [...pathsOf("/old_value", before), ...pathsOf("/new_value", after)];
      return {
        ...write,
        oldValue: before?.value ?? null,
        newValue: after?.value ?? null,
        inexact: withoutThose(write.inexact, paths),
        maskedPaths: paths.slice(0, pathsMax).map(clipPointer),
      };
    },
    value: (parameter, value) => masked(parameter, value).value,
    storedText(parameter, text) {
      const read = scanJson(text, { maxBytes: Number.MAX_SAFE_INTEGER, maxDepth: 1_000, root: "any" });
      return read.kind === "ok" ? masked(parameter, read.value, true).value.text : text;
    },
    path: (parameter, pointer) =>
      isNamed(parameter) || isSecretName(parameter.paramName) ? "" : cutAtSecret(pointer),
  };
}

function pathsOf(field: string, masked: Masked | null): string[] {
  return (masked?.pointers ?? []).map((pointer) => field + pointer);
}

/** The keys inside a secret are part of it: pointers that lead there go too. */
function withoutThose(pointers: readonly string[], masked: readonly string[]): readonly string[] {
  if (pointers.length === 0 || masked.length === 0) return pointers;
  const secret = new Set(masked);
  return pointers.filter((pointer) => {
    for (let at = pointer.length; at > 0; at = pointer.lastIndexOf("/", at - 1)) {
      if (secret.has(pointer.slice(0, at))) return false;
    }
    return true;
  });
}
