import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";

/** A JSON value as a test means it: numbers as they are spelt, members in their order. */
export type Model =
  | { kind: "literal"; text: string }
  | { kind: "number"; text: string }
  | { kind: "string"; value: string }
  | { kind: "array"; items: Model[] }
  | { kind: "object"; members: [string, Model][] };

export const nastyStrings = [
  "",
  "a",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "length",
  "0",
  "10",
  "2",
  "-0",
  "a/b",
  "m~n",
  "~1",
  " ",
  '"',
  "\\",
  "\\u0000",
  "\u0000",
  "\u001b[31m",
  "\r\n",
  "\u007f",
  "\u2028",
  "é",
  "e\u0301",
  "😀",
  "\uffff",
  "\ufeff",
  "'; DROP TABLE actions; --",
  "{}",
  "null",
  "#1",
];

const numberText = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map(String),
  fc
    .tuple(
      fc.constantFrom("", "-"),
      fc.oneof(fc.constant("0"), fc.stringMatching(/^[1-9][0-9]{0,39}$/)),
      fc.oneof(fc.constant(""), fc.stringMatching(/^\.[0-9]{1,40}$/)),
      fc.oneof(fc.constant(""), fc.stringMatching(/^[eE][+-]?[0-9]{1,2}$/)),
    )
    .map((parts) => parts.join("")),
  fc.constantFrom("-0", "0.0", "1.10", "1e2", "100", "9223372036854775808", "9007199254740993", "1e-400"),
);

const text = fc.oneof(fc.constantFrom(...nastyStrings), fc.string({ unit: "binary", maxLength: 8 }));

/** Small values of every kind, with keys and numbers that break things. */
export const models: fc.Arbitrary<Model> = fc.letrec<{ value: Model }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom("true", "false", "null").map((text): Model => ({ kind: "literal", text })),
    numberText.map((text): Model => ({ kind: "number", text })),
    text.map((value): Model => ({ kind: "string", value })),
    fc.array(tie("value"), { maxLength: 5 }).map((items): Model => ({ kind: "array", items })),
    fc
      .uniqueArray(fc.tuple(text, tie("value")), { maxLength: 5, selector: ([key]) => key })
      .map((members): Model => ({ kind: "object", members })),
  ),
})).value;

const fewScalars = ["1", "1.0", "10e-1", "2", "0", "-0", "-0.0"].map(
  (text): Model => ({ kind: "number", text }),
);

/** Values of so few kinds that two of them are often equal, or nearly. */
export const fewModels: fc.Arbitrary<Model> = fc.letrec<{ value: Model }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom<Model>(...fewScalars, { kind: "string", value: "1" }, { kind: "literal", text: "null" }),
    fc.array(tie("value"), { maxLength: 2 }).map((items): Model => ({ kind: "array", items })),
    fc
      .uniqueArray(fc.tuple(fc.constantFrom("a", "b", "1"), tie("value")), {
        maxLength: 2,
        selector: ([key]) => key,
      })
      .map((members): Model => ({ kind: "object", members })),
  ),
})).value;

/** The compact text, everything spelt as the model has it. */
export function spell(model: Model): string {
  return write(model, {
    space: () => "",
    quote: (value) => JSON.stringify(value),
    number: (n) => n,
    order: (m) => m,
  });
}

/** Another text of the same value: other whitespace, escapes, key order and spelling of numbers. */
export function respell(model: Model, seed: number): string {
  const random = createRandom(seed);
  return write(model, {
    space: () => ["", " ", "\n\t", "\r\n  "][random(4)] ?? "",
    quote: (value) => quoteAnyhow(value, random),
    number: (number) => numberAnyhow(number, random),
    order: (members) => members.toSorted(() => random(3) - 1),
  });
}

/** Whether two models are the same value; numbers are compared as decimals, and -0 is not 0. */
export function equal(a: Model, b: Model): boolean {
  if (a.kind === "array") {
    return (
      b.kind === "array" &&
      a.items.length === b.items.length &&
      a.items.every((x, i) => equal(x, b.items[i] ?? x))
    );
  }
  if (a.kind === "object") {
    if (b.kind !== "object" || a.members.length !== b.members.length) return false;
    const others = new Map(b.members);
    return a.members.every(([key, value]) => {
      const other = others.get(key);
      return other !== undefined && equal(value, other);
    });
  }
  if (a.kind === "number") return b.kind === "number" && sameDecimal(a.text, b.text);
  if (a.kind === "string") return b.kind === "string" && a.value === b.value;
  return b.kind === "literal" && a.text === b.text;
}

/** Whether two numbers are the same decimal, by multiplying out; -0 is not 0. */
export function sameDecimal(a: string, b: string): boolean {
  const x = decimal(a);
  const y = decimal(b);
  const low = Math.min(x.exponent, y.exponent);
  const scale = (d: { digits: bigint; exponent: number }) => d.digits * 10n ** BigInt(d.exponent - low);
  return x.negative === y.negative && scale(x) === scale(y);
}

/** The big list of naughty strings, from outside the project; CI fails without it. */
export function naughtyStrings(): string[] {
  const file = new URL("../../../../shared/data/hostile/blns.json", import.meta.url);
  if (!existsSync(file)) {
    if (process.env.CI) throw new Error(`${file.pathname} is needed in CI`);
    return [];
  }
  const list: unknown = JSON.parse(readFileSync(file, "utf8"));
  return Array.isArray(list) ? list.filter((item) => typeof item === "string") : [];
}

type Style = {
  space: () => string;
  quote: (value: string) => string;
  number: (text: string) => string;
  order: (members: [string, Model][]) => [string, Model][];
};

function write(model: Model, style: Style): string {
  const { space } = style;
  const body = (): string => {
    switch (model.kind) {
      case "literal":
        return model.text;
      case "number":
        return style.number(model.text);
      case "string":
        return style.quote(model.value);
      case "array":
        return model.items.length === 0
          ? `[${space()}]`
          : `[${model.items.map((x) => write(x, style)).join(",")}]`;
      case "object": {
        const members = style.order(model.members);
        const written = members.map(
          ([key, value]) => `${space()}${style.quote(key)}${space()}:${write(value, style)}`,
        );
        return written.length === 0 ? `{${space()}}` : `{${written.join(",")}}`;
      }
    }
  };
  return space() + body() + space();
}

function quoteAnyhow(value: string, random: (below: number) => number): string {
  let out = '"';
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i).toString(16).padStart(4, "0");
    const plain = JSON.stringify(value.charAt(i)).slice(1, -1);
    // A half of a pair stands raw only beside its other half.
    const whole = value.charAt(i).isWellFormed();
    const choice = random(4);
    if (choice === 0 || (!whole && random(2) === 0))
      out += `\\u${random(2) === 0 ? unit : unit.toUpperCase()}`;
    else if (!whole) out += value.charAt(i);
    else if (value[i] === "/" && choice === 1) out += "\\/";
    else out += plain;
  }
  const quoted = `${out}"`;
  return quoted.isWellFormed() ? quoted : JSON.stringify(value);
}

function numberAnyhow(text: string, random: (below: number) => number): string {
  const { negative, digits, exponent } = decimal(text);
  const zeros = random(4);
  const shifted = `${digits}${digits === 0n ? "" : "0".repeat(zeros)}`;
  const e = exponent - (digits === 0n ? 0 : zeros);
  const sign = negative ? "-" : "";
  const spellings = [
    text,
    `${sign}${shifted}e${e}`,
    `${sign}${shifted}.0E${e < 0 ? e : `+${e}`}`,
    `${sign}0.${shifted}e${e + shifted.length}`,
  ];
  return spellings[random(spellings.length)] ?? text;
}

function decimal(text: string): { negative: boolean; digits: bigint; exponent: number } {
  const [mantissa = "", e = "0"] = text.replace(/^-/, "").toLowerCase().split("e");
  const [int = "", fraction = ""] = mantissa.split(".");
  return {
    negative: text.startsWith("-"),
    digits: BigInt(int + fraction),
    exponent: Number(e) - fraction.length,
  };
}

// mulberry32: small, and the same on every run.
function createRandom(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
