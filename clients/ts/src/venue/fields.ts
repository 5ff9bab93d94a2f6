import type { Timestamp } from "@bufbuild/protobuf/wkt";

/** The members of an object, their names without case and underscores. */
export type Fields = {
  /** A member as text, digit for digit; empty when it is absent or null. */
  text(name: string): string;
  /** A member that is a list of objects. Throws a TypeError. */
  list(name: string): readonly Fields[];
  /** The first of the members that is there, as a time. Throws a TypeError. */
  time(...names: string[]): Timestamp | undefined;
};

/** JSON text with its numbers as strings, so that they keep their digits. Throws a TypeError. */
export function parseExact(text: string): unknown {
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new TypeError("not a trade: it is not JSON", { cause });
  }
  return JSON.parse(
    text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
      token.startsWith('"') ? token : `"${token}"`,
    ),
  );
}

/** The texts of the members of an array, given as well-formed JSON. */
export function membersOf(array: string): readonly string[] {
  const members: string[] = [];
  let depth = 0;
  let from = 0;
  for (const { 0: token, index } of array.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},]/g)) {
    if (token === "[" || token === "{") depth++;
    const isEnd = token === "]" && depth === 1;
    if (depth === 1 && (token === "," || isEnd)) members.push(array.slice(from, index).trim());
    if (depth === 1 && !token.startsWith('"') && token !== "{" && token !== "}") from = index + 1;
    if (token === "]" || token === "}") depth--;
  }
  return members.filter((member) => member !== "");
}

/** The fields of an object. Throws a TypeError for anything else. */
export function fieldsOf(read: unknown, what: string): Fields {
  if (typeof read !== "object" || read === null || Array.isArray(read)) {
    throw new TypeError(`${what} is not an object`);
  }
  const members = new Map<string, unknown>(Object.entries(read).map(([name, value]) => [plain(name), value]));
  const text = (name: string) => textOf(members.get(plain(name)));
  return {
    text,
    list(name) {
      const value = members.get(plain(name)) ?? [];
      if (!Array.isArray(value)) throw new TypeError(`${name} is not a list`);
      return value.map((one, index) => fieldsOf(one, `${name}[${index}]`));
    },
    time(...names) {
      const name = names.find((one) => !["", "0"].includes(text(one)));
      return name === undefined ? undefined : timeOf(text(name), name);
    },
  };
}

function plain(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}

function textOf(value: unknown): string {
  if (typeof value === "string") return isNumber(value) ? digits(value) : value;
  if (typeof value === "number" || typeof value === "bigint") return digits(String(value));
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : "";
}

function isNumber(text: string): boolean {
  return /^-?\d+(\.\d+)?[eE][+-]?\d+$/.test(text);
}

/** A number without an exponent, as the ledger wants it, with the same digits. */
function digits(number: string): string {
  const [, sign = "", whole = "", fraction = "", exponent] =
    /^(-?)(\d+)(?:\.(\d+))?[eE]([+-]?\d+)$/.exec(number) ?? [];
  if (exponent === undefined || Math.abs(Number(exponent)) > 1_000) return number;
  const point = whole.length + Number(exponent);
  const all = `${"0".repeat(Math.max(0, 1 - point))}${whole}${fraction}`;
  const at = Math.max(point, 1);
  const before = all
    .slice(0, at)
    .padEnd(at, "0")
    .replace(/^0+(?=\d)/, "");
  const behind = all.slice(at);
  return `${sign}${before}${behind === "" ? "" : `.${behind}`}`;
}

/**
 * Reads a time in seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size, or in
 * RFC 3339.
 */
function timeOf(text: string, name: string): Timestamp {
  const [, whole, fraction = ""] = /^(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === undefined) {
    const atMs = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
    if (Number.isNaN(atMs)) {
      throw new TypeError(`${name}: "${text}" is neither seconds, milliseconds nor RFC 3339`);
    }
    const [, nanos = ""] = /\.(\d+)/.exec(text) ?? [];
    return timestamp(BigInt(Math.floor(atMs / 1_000)), nanos);
  }
  const count = BigInt(whole);
  if (count < 100_000_000_000n) return timestamp(count, fraction);
  const perSecond = count < 10n ** 14n ? 1_000n : count < 10n ** 17n ? 1_000_000n : 1_000_000_000n;
  return timestamp(count / perSecond, String(count % perSecond).padStart(String(perSecond).length - 1, "0"));
}

function timestamp(seconds: bigint, fraction: string): Timestamp {
  const nanos = Number(fraction.slice(0, 9).padEnd(9, "0"));
  return { $typeName: "google.protobuf.Timestamp", seconds, nanos };
}
