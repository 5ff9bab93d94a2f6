import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { scanJson } from "../exact/json.ts";
import { parseJson } from "../exact/parseJson.ts";
import { Failure, invalidField } from "./failure.ts";
import { decodeUtf8 } from "./utf8.ts";

/** More than any field's bound lets pass, fewer than the decoder takes (100). */
const maxDepth = 90;

/**
 * Reads a request from JSON. Throws INVALID_FIELD with the field's path for whatever is no such message:
 * text that is not JSON, repeated keys, wrong types. A field that the contract does not have is refused
 * by its name: in JSON it is as likely a typo as a newer client, and a misspelt field must not be lost.
 * In the binary formats unknown fields are ignored, as proto3 has it.
 */
export function decodeJsonRequest<Desc extends DescMessage>(
  desc: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> {
  const text = decodeUtf8(bytes);
  // Half a surrogate pair, which stands for bytes that are no UTF-8, counts as three.
  const scanned = scanJson(text, { maxBytes: bytes.byteLength * 3, maxDepth, root: "any" });
  if (scanned.kind === "bad") throw notJson(desc, scanned.problem);
  const json = parseJson(text);
  if (!isObject(json)) throw new Failure("INVALID_FIELD", "the request must be a JSON object", { field: "" });
  refuseRounded(desc, json);
  try {
    return fromJson(desc, json);
  } catch (cause) {
    const { field, text } = problemIn(desc, json, "");
    throw new Failure("INVALID_FIELD", text, { field, cause });
  }
}

/** The scanner names the place as a JSON Pointer, whose first step is a field of the request. */
function notJson(desc: DescMessage, problem: { path: string; message: string }): Failure {
  const [, key = "", ...rest] = problem.path.split("/");
  const field = fieldOf(desc, key)?.name ?? "";
  const place = field === "" ? problem.path : rest.map((step) => `/${step}`).join("");
  const where = [field === "" ? "the request" : field, place === "" ? "" : `at ${place}`].filter(
    (part) => part !== "",
  );
  return new Failure("INVALID_FIELD", `${where.join(" ")} ${problem.message}`, { field });
}

/** A JSON number is a double: an integer beyond 2^53 may have lost digits before it could be read. */
function refuseRounded(desc: DescMessage, json: JsonObject): void {
  for (const [key, value] of Object.entries(json)) {
    if (typeof value !== "number" || Number.isSafeInteger(value)) continue;
    const field = fieldOf(desc, key);
    if (field?.scalar === ScalarType.INT64) throw invalidField(field.name, `must be ${expected(field)}`);
  }
}

type Problem = { readonly field: string; readonly text: string };

/** What the decoder refused: the first member that it also refuses alone, and inside that one likewise. */
function problemIn(desc: DescMessage, json: JsonObject, path: string): Problem {
  const seen = new Set<DescField>();
  for (const [key, value] of Object.entries(json)) {
    const field = fieldOf(desc, key);
    if (field === undefined) {
      const name = `${path}${clipped(key)}`;
      return { field: name, text: `${name} is not a field of ${desc.name}` };
    }
    const at = `${path}${field.name}`;
    if (seen.has(field))
      return { field: at, text: `${at} is sent twice, as ${field.name} and as ${field.jsonName}` };
    seen.add(field);
    if (isDecodable(desc, { [key]: value })) continue;
    return problemInside(field, value, at, desc) ?? { field: at, text: `${at} must be ${expected(field)}` };
  }
  const at = path.slice(0, -1);
  return {
    field: at,
    text: `${at === "" ? "the request" : at} has two fields of which only one may be sent`,
  };
}

function problemInside(
  field: DescField,
  value: JsonValue,
  at: string,
  desc: DescMessage,
): Problem | undefined {
  if (field.message === undefined || field.message.typeName.startsWith("google.protobuf.")) return undefined;
  if (field.fieldKind === "message" && isObject(value)) return problemIn(field.message, value, `${at}.`);
  if (field.fieldKind !== "list" || !Array.isArray(value)) return undefined;
  const index = value.findIndex((item) => !isDecodable(desc, { [field.name]: [item] }));
  const item = value[index];
  return isObject(item) ? problemIn(field.message, item, `${at}[${index}].`) : undefined;
}

function isDecodable(desc: DescMessage, json: JsonObject): boolean {
  try {
    fromJson(desc, json);
    return true;
  } catch {
    return false;
  }
}

const wellKnown: Record<string, string> = {
  "google.protobuf.Timestamp": 'a time like "2026-05-09T12:00:00Z", from the year 1 to 9999',
  "google.protobuf.Struct": "a JSON object",
  "google.protobuf.Value": "a JSON value",
};

function expected(field: DescField): string {
  if (field.fieldKind === "list") return "a list, each item of its type";
  if (field.fieldKind === "map") return "an object, each value of its type";
  if (field.fieldKind === "message")
    return wellKnown[field.message.typeName] ?? `an object, a ${field.message.name}`;
  if (field.fieldKind === "enum") return `one of ${field.enum.values.map((value) => value.name).join(", ")}`;
  switch (field.scalar) {
    case ScalarType.STRING:
      return "a string";
    case ScalarType.BOOL:
      return "true or false";
    case ScalarType.INT64:
      return "a whole number of 64 bits, as a string where it is beyond 2^53";
    case ScalarType.INT32:
      return "a whole number of 32 bits";
    default:
      return `a value of type ${ScalarType[field.scalar].toLowerCase()}`;
  }
}

function fieldOf(desc: DescMessage, key: string): DescField | undefined {
  return desc.fields.find((field) => field.name === key || field.jsonName === key);
}

function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function clipped(key: string): string {
  return key.length > 64 ? `${key.slice(0, 64).toWellFormed()}…` : key;
}
