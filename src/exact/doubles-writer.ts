import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Value } from "@bufbuild/protobuf/wkt";
import type { JsonSize } from "./json.ts";
import { clipPointer, pointerStep } from "./pointer.ts";

// Both walks below call themselves once per level.
const HARD_MAX_DEPTH = 1_000;
const MAX_INEXACT = 100;

// 2^53 itself counts: 2^53 + 1 arrives as 2^53.
const FIRST_INEXACT = 2 ** 53;

const FAILED = "";

/**
 * Writes what came as a Struct or a Value as JSON text. The methods return the text, or "" when the value is
 * bad; then `message` says why and `path` where.
 */
export class DoublesWriter {
  message = "";
  private reversePath: string[] = [];
  private inexact: string[] = [];
  private chars = 0;
  private readonly maxBytes: number;
  private readonly maxDepth: number;

  constructor(size: JsonSize) {
    this.maxBytes = size.maxBytes;
    this.maxDepth = Math.min(size.maxDepth, HARD_MAX_DEPTH);
  }

  /** `depth` is 0 at the root. */
  json(value: JsonValue | undefined, depth: number): string {
    switch (typeof value) {
      case "string":
        return this.leaf(JSON.stringify(value));
      case "number":
        return this.number(value);
      case "boolean":
        return this.leaf(value ? "true" : "false");
      case "undefined":
        return this.fail("has no value; send null where null is meant");
      default:
        if (value === null) return this.leaf("null");
        return Array.isArray(value) ? this.jsonArray(value, depth + 1) : this.jsonObject(value, depth + 1);
    }
  }

  /** `depth` is 0 at the root. */
  value(value: Value | undefined, depth: number): string {
    switch (value?.kind.case) {
      case "stringValue":
        return this.leaf(JSON.stringify(value.kind.value));
      case "numberValue":
        return this.number(value.kind.value);
      case "boolValue":
        return this.leaf(value.kind.value ? "true" : "false");
      case "nullValue":
        return this.leaf("null");
      case "listValue":
        return this.list(value.kind.value.values, depth + 1);
      case "structValue":
        return this.fields(value.kind.value.fields, depth + 1);
      default:
        return this.fail("is a Value with no kind set; set null_value where null is meant");
    }
  }

  get path(): string {
    return clipPointer(this.reversePath.reverse().join(""));
  }

  inexactPointers(): string[] {
    return this.inexact.map(clipPointer);
  }

  private jsonArray(items: JsonValue[], depth: number): string {
    return this.nested(undefined, items.length, depth, (i) => this.json(items[i], depth));
  }

  private list(items: Value[], depth: number): string {
    return this.nested(undefined, items.length, depth, (i) => this.value(items[i], depth));
  }

  private jsonObject(object: JsonObject, depth: number): string {
    const keys = Object.keys(object);
    return this.nested(keys, keys.length, depth, (i) => this.json(object[keys[i] ?? ""], depth));
  }

  private fields(fields: { [key: string]: Value }, depth: number): string {
    const keys = Object.keys(fields);
    return this.nested(keys, keys.length, depth, (i) => this.value(fields[keys[i] ?? ""], depth));
  }

  // An object with these keys, or an array.
  private nested(
    keys: string[] | undefined,
    count: number,
    depth: number,
    item: (index: number) => string,
  ): string {
    if (depth > this.maxDepth) return this.fail(`is nested deeper than ${this.maxDepth} levels`);
    let text = "";
    for (let i = 0; i < count; i++) {
      const inexactBefore = this.inexact.length;
      const key = keys?.[i] ?? i;
      const itemText = item(i);
      if (itemText === FAILED) {
        this.reversePath.push(pointerStep(key));
        return FAILED;
      }
      if (this.inexact.length > inexactBefore) this.lead(inexactBefore, pointerStep(key));
      const quotedKey = typeof key === "string" ? `${JSON.stringify(key)}:` : "";
      this.chars += quotedKey.length + 1;
      text += i === 0 ? quotedKey + itemText : `,${quotedKey}${itemText}`;
    }
    return keys === undefined ? `[${text}]` : `{${text}}`;
  }

  private number(number: number): string {
    if (!Number.isFinite(number)) return this.fail("is NaN or infinite, which JSON does not have");
    if (Math.abs(number) >= FIRST_INEXACT && this.inexact.length < MAX_INEXACT) this.inexact.push("");
    return this.leaf(Object.is(number, -0) ? "-0" : String(number));
  }

  // Stops early, so that a huge value costs no more than the largest that is allowed.
  private leaf(text: string): string {
    this.chars += text.length;
    return this.chars > this.maxBytes ? this.tooLong() : text;
  }

  private lead(from: number, step: string): void {
    for (let i = from; i < this.inexact.length; i++) this.inexact[i] = step + this.inexact[i];
  }

  private tooLong(): string {
    return this.fail(`makes the value longer than ${this.maxBytes} bytes of JSON`);
  }

  private fail(message: string): string {
    this.message = message;
    return FAILED;
  }
}
