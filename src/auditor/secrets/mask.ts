import { createHmac, type KeyObject } from "node:crypto";
import { type ExactJson, scanJson } from "../../exact/json.ts";
import { type Outline, outline } from "../../exact/outline.ts";
import { pointerStep } from "../../exact/pointer.ts";
import { isSecret, isSecretName } from "./names.ts";

/** A value without its secrets. */
export type Masked = {
  readonly value: ExactJson;
  /** JSON Pointers of what was masked, in the order of the text; "" for the value itself. */
  readonly pointers: readonly string[];
};

/** Masking makes a text longer, never deeper. */
const anySize = { maxBytes: Number.MAX_SAFE_INTEGER, maxDepth: 1_000, root: "any" } as const;

const markerText = /^"\*\*\*:[0-9a-f]{12}"$/;

/**
 * The value with each secret replaced by a text that tells equal secrets from others, and nothing else of
 * them: "***:" and a hash under the key. All else stays digit for digit. `whole`: the value itself is one.
 * `stored`: it is from a record, where a masked secret stays as it is.
 */
export function maskSecrets(value: ExactJson, key: KeyObject, whole: boolean, stored = false): Masked {
  const marker = (secret: string) => (stored && markerText.test(secret) ? secret : markerOf(secret, key));
  if (whole) return { value: scanned(marker(value.text)), pointers: [""] };
  const first = value.text.charCodeAt(0);
  if (first !== 0x7b && first !== 0x5b) return { value, pointers: [] };

  const found = secretsOf(value.text).sort((a, b) => a.start - b.start);
  if (found.length === 0) return { value, pointers: [] };
  let text = "";
  let copiedTo = 0;
  for (const { start, end } of found) {
    text += value.text.slice(copiedTo, start) + marker(value.text.slice(start, end));
    copiedTo = end;
  }
  text += value.text.slice(copiedTo);
  return { value: scanned(text), pointers: found.map(({ pointer }) => pointer) };
}

/** A JSON Pointer, cut behind the first member that is a secret: what is in it is none of its reader's. */
export function cutAtSecret(pointer: string): string {
  const steps = pointer.split("/");
  const at = steps.findIndex((step) => isSecretName(step.replaceAll("~1", "/").replaceAll("~0", "~")));
  return at === -1 ? pointer : steps.slice(0, at + 1).join("/");
}

type Secret = { readonly pointer: string; readonly start: number; readonly end: number };

function secretsOf(text: string): Secret[] {
  const found: Secret[] = [];
  const visit = (container: Outline, pointer: string): void => {
    const masked = new Set<string | number>();
    if (!container.isArray) {
      for (const name of Object.keys(container.tokens)) {
        if (!isSecretName(name)) continue;
        const [start, end] = [container.start(name), container.end(name)];
        if (!isSecret(name, text.slice(start, end))) continue;
        masked.add(name);
        found.push({ pointer: pointer + pointerStep(name), start, end });
      }
    }
    for (const [step, child] of container.nested) {
      if (!masked.has(step)) visit(child, pointer + pointerStep(step));
    }
  };
  // outline() puts an array around the value.
  for (const child of outline(text).nested.values()) visit(child, "");
  return found;
}

function markerOf(secret: string, key: KeyObject): string {
  // Its canonical form, so that the same secret spelt otherwise is the same.
  const { canonical } = scanned(secret);
  const hash = createHmac("sha256", key)
    .update(JSON.stringify(["auditor.secret", canonical]))
    .digest("hex");
  return `"***:${hash.slice(0, 12)}"`;
}

function scanned(text: string): ExactJson {
  const result = scanJson(text, anySize);
  if (result.kind === "bad") throw new Error(`a value that was accepted is no JSON ${result.problem.path}`);
  return result.value;
}
