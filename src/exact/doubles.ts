import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { NullValue, type Value } from "@bufbuild/protobuf/wkt";
import type { ExactJson } from "./json.ts";
import { parseJson } from "./parseJson.ts";

/**
 * Exact text as a google.protobuf.Struct field, or undefined when it is JSON null, which a Struct cannot be.
 * Numbers become the nearest finite double. Throws when the text is neither an object nor null.
 */
export function exactToStruct(text: string): JsonObject | undefined {
  const json = parseDoubles(text);
  if (json === null) return undefined;
  if (!isObject(json)) throw new TypeError("only a JSON object can be a Struct");
  return json;
}

/** Exact text as a google.protobuf.Value field. Numbers become the nearest finite double. */
export function exactToValue(text: string): Value {
  return toValue(parseDoubles(text));
}

/**
 * Whether two values are the same once every number is rounded to a double: what a sender of both an exact
 * text and a Struct or Value must have meant. -0 is 0 here, and the order of keys means nothing.
 */
export function sameAsDoubles(exact: ExactJson, sent: ExactJson): boolean {
  return exact.canonical === sent.canonical || equal(parseDoubles(exact.text), parseDoubles(sent.text));
}

function parseDoubles(text: string): JsonValue {
  return toFinite(parseJson(text));
}

// 1e999 is exact JSON and no double; as Infinity it could not be answered as JSON. Changes its argument.
function toFinite(json: JsonValue): JsonValue {
  if (typeof json === "number") {
    return Math.min(Math.max(json, -Number.MAX_VALUE), Number.MAX_VALUE);
  }
  if (Array.isArray(json)) {
    json.forEach((item, i) => {
      json[i] = toFinite(item);
    });
  } else if (isObject(json)) {
    // JSON.parse made every key an own property, so that assigning to __proto__ is harmless.
    for (const [key, item] of Object.entries(json)) json[key] = toFinite(item);
  }
  return json;
}

function toValue(json: JsonValue): Value {
  return { $typeName: "google.protobuf.Value", kind: toKind(json) };
}

function toKind(json: JsonValue): Value["kind"] {
  switch (typeof json) {
    case "string":
      return { case: "stringValue", value: json };
    case "number":
      return { case: "numberValue", value: json };
    case "boolean":
      return { case: "boolValue", value: json };
    default:
      if (json === null) return { case: "nullValue", value: NullValue.NULL_VALUE };
      if (Array.isArray(json)) {
        return {
          case: "listValue",
          value: { $typeName: "google.protobuf.ListValue", values: json.map(toValue) },
        };
      }
      return { case: "structValue", value: { $typeName: "google.protobuf.Struct", fields: toFields(json) } };
  }
}

// fromEntries defines properties where an assignment to "__proto__" would set the prototype.
function toFields(json: JsonObject): { [key: string]: Value } {
  return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, toValue(item)]));
}

function equal(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]));
  }
  if (!isObject(a)) return a === b;
  if (!isObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]))
  );
}

function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
