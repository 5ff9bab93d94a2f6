import { create, type DescField, type DescMessage, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** A value as a client of the generated code would set it, or the bytes it would have on the wire. */
export type Value = { readonly value: unknown } | { readonly bytes: Uint8Array };

/** What a field refuses, and what it takes just inside its bound. */
export type FieldRows = {
  readonly bad: Readonly<Record<string, Value>>;
  readonly good: Readonly<Record<string, Value>>;
  /** What only JSON can say wrongly: JSON text. */
  readonly badJson: Readonly<Record<string, string>>;
};

/** A message's bytes, with one of its fields set so. */
export function bytesWith(
  desc: DescMessage,
  rest: Record<string, unknown>,
  field: DescField,
  value: Value,
): Uint8Array {
  if ("value" in value) return toBinary(desc, create(desc, { ...rest, [field.localName]: value.value }));
  // A message that is sent twice is merged, so the good one must not be there as well.
  const others = Object.fromEntries(Object.entries(rest).filter(([name]) => name !== field.localName));
  const writer = new BinaryWriter().raw(toBinary(desc, create(desc, others)));
  return writer.tag(field.number, WireType.LengthDelimited).bytes(value.bytes).finish();
}

const megabyte = 1024 * 1024;
const loneSurrogate = '"\\ud800"';

export function text({ max, required = false }: { max: number; required?: boolean }): FieldRows {
  return {
    bad: {
      "one byte too long": { value: "x".repeat(max + 1) },
      "one character too long in UTF-8": { value: `${"x".repeat(max - 1)}é` },
      "1 MiB": { value: "x".repeat(megabyte) },
      "a NUL": { value: "a\0b" },
      "not UTF-8": { bytes: Buffer.from([0x61, 0xff]) },
      ...(required ? { empty: { value: "" } } : {}),
    },
    good: {
      "as long as may be": { value: "x".repeat(max) },
      "as long as may be in UTF-8": { value: `${"x".repeat(max % 4)}${"😀".repeat(Math.floor(max / 4))}` },
      ...(required ? {} : { empty: { value: "" } }),
    },
    badJson: { "half a surrogate pair": loneSurrogate, "a number": "7", "a list": '["a"]' },
  };
}

const digits = "0123456789abcdefABCDEF0123456789abcdef01";

export function wallet({ required }: { required: boolean }): FieldRows {
  return {
    bad: {
      ...(required ? { empty: { value: "" } } : {}),
      "no prefix": { value: digits },
      "a digit too few": { value: `0x${digits.slice(1)}` },
      "a digit too many": { value: `0x${digits}0` },
      "a letter that is no digit": { value: `0x${digits.slice(1)}g` },
      "an upper-case prefix": { value: `0X${digits}` },
      "a line end": { value: `0x${digits}\n` },
      "1 MiB": { value: "0".repeat(megabyte) },
    },
    good: { "in mixed case": { value: `0x${digits}` }, ...(required ? {} : { empty: { value: "" } }) },
    badJson: { "half a surrogate pair": loneSurrogate, "a number": "0" },
  };
}

export function actionType({ required }: { required: boolean }): FieldRows {
  return {
    bad: {
      ...(required ? { empty: { value: "" } } : {}),
      "lower case": { value: "halt" },
      "a digit first": { value: "1HALT" },
      "an underscore first": { value: "_HALT" },
      "a blank": { value: "HALT NOW" },
      "one too long": { value: "H".repeat(65) },
      "a line end": { value: "HALT\n" },
    },
    good: { "as long as may be": { value: "H".repeat(64) }, "nobody knows it": { value: "A_1" } },
    badJson: { "half a surrogate pair": loneSurrogate, "a number": "0" },
  };
}

export const time: FieldRows = {
  bad: {
    "before 1970": { value: { seconds: -1n, nanos: 0 } },
    "beyond 64 bits of nanoseconds": { value: { seconds: 9_223_372_036n, nanos: 0 } },
    "the largest number of seconds": { value: { seconds: 2n ** 63n - 1n, nanos: 0 } },
    "negative nanoseconds": { value: { seconds: 1n, nanos: -1 } },
    "a whole second of nanoseconds": { value: { seconds: 1n, nanos: 1_000_000_000 } },
  },
  good: {
    "1970": { value: { seconds: 0n, nanos: 0 } },
    "2262": { value: { seconds: 9_223_372_035n, nanos: 999_999_999 } },
  },
  badJson: { "a word": '"yesterday"', "a number": "1778322602", "the year 10000": '"10000-01-01T00:00:00Z"' },
};

export const pageSize: FieldRows = {
  bad: {
    negative: { value: -1 },
    "one too many": { value: 1001 },
    "the smallest number": { value: -(2 ** 31) },
  },
  good: { none: { value: 0 }, one: { value: 1 }, "as many as may be": { value: 1000 } },
  badJson: { "a fraction": "1.5", "2^31": "2147483648", "a word": '"all"', NaN: '"NaN"' },
};

/** A token is opaque; whatever was not made here for the same filters is refused. */
export const token: FieldRows = {
  bad: {
    "made up": { value: "token" },
    "of zeros": { value: Buffer.alloc(64).toString("base64url") },
    "no base64": { value: "!?" },
    "1 MiB": { value: "x".repeat(megabyte) },
    "a NUL": { value: "\0" },
    "not UTF-8": { bytes: Buffer.from([0xff]) },
  },
  good: { none: { value: "" } },
  badJson: { "half a surrogate pair": loneSurrogate, "a number": "0" },
};

export function oneOf(words: readonly string[]): FieldRows {
  return {
    bad: {
      "another word": { value: "other" },
      "other case": { value: otherCase(words[0] ?? "") },
      "1 MiB": { value: "x".repeat(megabyte) },
    },
    good: Object.fromEntries(words.map((word) => [word, { value: word }])),
    badJson: { "half a surrogate pair": loneSurrogate, "a number": "0" },
  };
}

function otherCase(word: string): string {
  return word === word.toLowerCase() ? word.toUpperCase() : word.toLowerCase();
}

export function numbers({
  bad,
  good,
  badJson,
}: {
  bad: readonly unknown[];
  good: readonly unknown[];
  badJson: readonly string[];
}): FieldRows {
  const rows = (values: readonly unknown[]) =>
    Object.fromEntries(values.map((value) => [String(value), { value }]));
  return {
    bad: rows(bad),
    good: rows(good),
    badJson: Object.fromEntries(badJson.map((json) => [json, json])),
  };
}

/** Objects inside each other, as a Struct on the wire. */
export function deepStruct(depth: number): Uint8Array {
  let struct: Uint8Array = new Uint8Array();
  for (let level = 1; level < depth; level++) struct = structOf(field(5, struct));
  return struct;
}

/** A Struct with one member, "a", of the given Value. */
export function structOf(value: Uint8Array): Uint8Array {
  return field(1, Buffer.concat([field(1, Buffer.from("a")), field(2, value)]));
}

export function field(number: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(bytes).finish();
}

const numberValue = (double: number) => new BinaryWriter().tag(2, WireType.Bit64).double(double).finish();
const infinite = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
};

/** google.protobuf.Struct, bounded as JSON. */
export function struct({ max }: { max: number }): FieldRows {
  const sized = (bytes: number) => ({ a: "x".repeat(bytes - '{"a":""}'.length) });
  return {
    bad: {
      "one byte too long": { value: sized(max + 1) },
      "33 deep": { bytes: deepStruct(33) },
      "1,000 deep": { bytes: deepStruct(1000) },
      "a key that is not UTF-8": { bytes: field(1, field(1, Buffer.from([0xff]))) },
      "a text that is not UTF-8": { bytes: structOf(field(3, Buffer.from([0xff]))) },
      ...mapped(infinite, (double) => ({ bytes: structOf(numberValue(double)) })),
    },
    good: {
      "as long as may be": { value: sized(max) },
      "32 deep": { bytes: deepStruct(32) },
      empty: { value: {} },
      "-0": { value: { a: -0 } },
      "a NUL inside": { value: { "k\0": "a\0b" } },
    },
    badJson: {
      "a list": "[]",
      "a text": '"{}"',
      "half a surrogate pair": `{"a":${loneSurrogate}}`,
      "1e999": '{"a":1e999}',
    },
  };
}

/** google.protobuf.Value, bounded as JSON. */
export function anyValue({ max }: { max: number }): FieldRows {
  const string = (value: string) => ({ value: { kind: { case: "stringValue", value } } });
  return {
    bad: {
      "one byte too long": string("x".repeat(max - 1)),
      "33 deep": { bytes: field(5, deepStruct(33)) },
      "1,000 deep": { bytes: field(5, deepStruct(1000)) },
      "of no kind": { bytes: new Uint8Array() },
      "not UTF-8": { bytes: field(3, Buffer.from([0xff])) },
      ...mapped(infinite, (double) => ({ bytes: numberValue(double) })),
    },
    good: {
      "as long as may be": string("x".repeat(max - 2)),
      "32 deep": { bytes: field(5, deepStruct(32)) },
      "-0": { bytes: numberValue(-0) },
    },
    badJson: { "half a surrogate pair": loneSurrogate, "1e999": "1e999" },
  };
}

/** Exact JSON as text. */
export function exactJson({ max, objectsOnly }: { max: number; objectsOnly: boolean }): FieldRows {
  const wrap = (json: string) => (objectsOnly ? `{"a":${json}}` : json);
  const frame = wrap('""').length;
  const deep = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
  const bad = {
    empty: "",
    "no JSON": "yes",
    "cut short": '{"a":',
    "two values": "{} {}",
    "one byte too long": wrap(`"${"x".repeat(max - frame + 1)}"`),
    "33 deep": deep(33),
    "1,000 deep": deep(1000),
    "a key twice": '{"a":1,"a":1}',
    "half a surrogate pair, escaped": wrap('"\\ud800"'),
    "a raw NUL": wrap('"\0"'),
    NaN: wrap("NaN"),
    Infinity: wrap("Infinity"),
    "an exponent nobody means": wrap("1e10000"),
    "1,001 digits": wrap("1".repeat(1001)),
    ...(objectsOnly ? { "a list": "[]", "a number": "7" } : {}),
  };
  const good = {
    "as long as may be": wrap(`"${"x".repeat(max - frame)}"`),
    "32 deep": deep(32),
    null: "null",
    "40 digits": wrap("1234567890123456789012345678901234567890"),
    "-0": wrap("-0.0"),
    "2^63": wrap("9223372036854775808"),
    "a NUL, escaped": wrap('"\\u0000"'),
    "1e999": wrap("1e999"),
  };
  return {
    bad: { ...mapped(bad, (value) => ({ value })), "not UTF-8": { bytes: Buffer.from([0x22, 0xff, 0x22]) } },
    good: mapped(good, (value) => ({ value })),
    badJson: { "not a text": "{}", "half a surrogate pair": loneSurrogate },
  };
}

function mapped<In, Out>(record: Record<string, In>, map: (value: In) => Out): Record<string, Out> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
}

/** What a user action is made of: alone in a request, and in a batch. */
export const actionFields: Readonly<Record<string, FieldRows>> = {
  event_id: text({ max: 128, required: true }),
  wallet: wallet({ required: true }),
  session_id: text({ max: 128, required: true }),
  action_type: actionType({ required: true }),
  params: struct({ max: 64 * 1024 }),
  trace_id: text({ max: 128 }),
  params_json: exactJson({ max: 64 * 1024, objectsOnly: true }),
  occurred_at: time,
  session_seq: numbers({
    bad: [-1n, -(2n ** 63n)],
    good: [0n, 1n, 2n ** 63n - 1n],
    badJson: ['"9223372036854775808"', "9007199254740993", "1.5", '"one"'],
  }),
};

/** An action with no fault. */
export function goodAction(eventId: string): Record<string, unknown> {
  const wallet = "0xdeadbeef00000000000000000000000000000001";
  return { eventId, wallet, sessionId: "session", actionType: "HALT" };
}

/** A decimal string, digit for digit. */
function decimal({ maxDigits, whole = false }: { maxDigits: number; whole?: boolean }): FieldRows {
  return {
    bad: {
      "a sign": { value: "-1" },
      "an exponent": { value: "1e3" },
      "a comma": { value: "1,5" },
      "no digits before the point": { value: ".5" },
      "no digits behind the point": { value: "5." },
      "digits of another script": { value: "\u0661" },
      "a line end": { value: "1\n" },
      "one digit too many": { value: "1".repeat(maxDigits + 1) },
      "1 MiB": { value: "1".repeat(megabyte) },
      ...(whole ? { "a fraction": { value: "1.5" } } : {}),
    },
    good: {
      "as long as may be": { value: "9".repeat(maxDigits) },
      "leading zeros": { value: "007" },
      empty: { value: "" },
      ...(whole ? {} : { "a fraction as long as may be": { value: `0.${"3".repeat(maxDigits - 1)}` } }),
    },
    badJson: { "half a surrogate pair": loneSurrogate, "a number": "0" },
  };
}

const statuses = ["MATCHED", "MINED", "CONFIRMED", "RETRYING", "FAILED"];

/** What an execution report is made of: alone in a request, and in a batch. */
export const reportFields: Readonly<Record<string, FieldRows>> = {
  fill_id: text({ max: 128 }),
  trade_id: text({ max: 128, required: true }),
  order_id: text({ max: 128, required: true }),
  trace_id: text({ max: 128 }),
  wallet: wallet({ required: false }),
  status: oneOf([...statuses, ...statuses.map((status) => `TRADE_STATUS_${status}`), ""]),
  market: text({ max: 128 }),
  asset_id: decimal({ maxDigits: 78, whole: true }),
  side: oneOf(["BUY", "SELL", ""]),
  size: decimal({ maxDigits: 80 }),
  price: decimal({ maxDigits: 80 }),
  fee_rate_bps: decimal({ maxDigits: 80 }),
  outcome: text({ max: 256 }),
  trader_side: oneOf(["TAKER", "MAKER", ""]),
  transaction_hash: text({ max: 128 }),
  matched_at: time,
  updated_at: time,
  raw_json: exactJson({ max: 64 * 1024, objectsOnly: false }),
};

/** An execution report with no fault, named by trade and order. */
export function goodReport(tradeId: string): Record<string, unknown> {
  return { tradeId, orderId: "order" };
}
