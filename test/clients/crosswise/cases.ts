// What the languages write and read back: values that differ where JSON, numbers or text are handled carelessly.
import { existsSync, readFileSync } from "node:fs";

/** A JSON value: number by its text, literal, string, array, object. */
export type Value =
  | { readonly n: string }
  | { readonly l: string }
  | { readonly s: string }
  | { readonly a: readonly Value[] }
  | { readonly o: readonly (readonly [string, Value])[] };

export type Cases = {
  readonly run: string;
  readonly writers: readonly string[];
  readonly wallet: string;
  readonly editor: string;
  /** Seconds and nanoseconds. */
  readonly at: string;
  readonly values: readonly { readonly name: string; readonly value: Value }[];
  readonly fillFields: readonly FillField[];
  readonly fills: readonly {
    readonly name: string;
    readonly fields: Readonly<Record<FillField, string>>;
    readonly raw: Value;
  }[];
};

const fillFields = ["market", "asset_id", "size", "price", "outcome"] as const;
type FillField = (typeof fillFields)[number];

const numbers = [
  ..."0 -0 1 -1 10 1.0 1.10 0.10 -0.0 100.00 1e0 1E5 1e+5 1e-5 0e7".split(" "),
  // What a double cannot hold, and what one makes of a sum.
  ..."0.1 0.30000000000000004 0.1000000000000000055511151231257827 9007199254740993 9223372036854775807".split(
    " ",
  ),
  ..."9223372036854775808 -9223372036854775809 18446744073709551616 1e400 -1e-400 4.9e-324 1.7976931348623159e308".split(
    " ",
  ),
  "1137.190000000000000001",
  "123456789012345678901234567890123456789012345678901234567890",
];
const strings = [
  "",
  " ",
  "ü ß ñ 漢字 ไทย",
  "e\u0301 é",
  "😀 👩‍👩‍👧‍👦 🏳️‍🌈",
  "\u202eright to left\u202c שלום مرحبا",
  '"\\/\b\f\n\r\t\u0001\u001f\u007f',
  "line\u2028 paragraph\u2029 next\u0085",
  "\ufeffbom \ufffd \uffff \u{10ffff}",
  "<script>&amp;'--;</script>",
  "\\u0000 \\ud800",
  "null",
  "1e400",
  "'; drop table ledger.user_action; --",
  "\x1b[2J",
];
const keys = ["", "__proto__", "constructor", "a.b", "10", "9", "ключ", "😀", 'quo"te'];

/** The big list of naughty strings, from outside the project; CI fails without it. */
function hostile(): string[] {
  const file = new URL("../../../../shared/data/hostile/blns.json", import.meta.url);
  if (!existsSync(file) && process.env.CI === undefined) return [];
  const list: unknown = JSON.parse(readFileSync(file, "utf8"));
  if (!Array.isArray(list)) throw new Error(`${file.pathname} is not a list`);
  // Postgres keeps no NUL, and half of a surrogate pair is no text in UTF-8.
  return list.filter((one) => typeof one === "string" && one.isWellFormed() && !one.includes("\0"));
}

const text = (s: string): Value => ({ s });
const array = (members: readonly Value[]): Value => ({ a: members });

function deep(levels: number): Value {
  return levels === 0 ? array([]) : { o: [["d", array([deep(levels - 1)])]] };
}

export function casesOf(run: string, writers: readonly string[]): Cases {
  const all = [...strings, ...hostile()];
  const values: [string, Value][] = [
    ["null", { l: "null" }],
    ["true", { l: "true" }],
    ["false", { l: "false" }],
    ["empty object", { o: [] }],
    ["empty array", array([])],
    ["nested", deep(14)],
    ["members", { o: keys.map((key) => [key, array([text(key), { l: "null" }])]) }],
    ["numbers", array(numbers.map((n) => ({ n })))],
    ...numbers.map((n, at): [string, Value] => [`number ${at}`, { n }]),
    ...strings.map((s, at): [string, Value] => [`string ${at}`, text(s)]),
  ];
  for (let at = 0; at < all.length; at += 50) {
    values.push([`strings from ${at}`, array(all.slice(at, at + 50).map(text))]);
  }
  const fills = strings.map((s, at) => ({
    name: `fill ${at}`,
    fields: {
      market: `m${s}`,
      asset_id: `${"9".repeat(60)}${at}`,
      size: ["1137.190000000000000001", "0.10", "100", "9223372036854775808"][at % 4] ?? "",
      price: ["0.914483", "0.30000000000000004", "1.0"][at % 3] ?? "",
      outcome: s,
    },
    raw: { o: [["price", { n: numbers[at] ?? "0" }] as const, [`k${s}`, text(s)] as const] },
  }));
  return {
    run,
    writers,
    wallet: "0xDeadBeef00000000000000000000000000000001",
    editor: "alice ü 😀 \u202e",
    at: "1770544865.123456789",
    values: values.map(([name, value]) => ({ name, value })),
    fillFields,
    fills,
  };
}
