import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { scanJson } from "../../../src/exact/json.ts";
import {
  replaceWallets,
  replaceWalletsInJson,
  walletsIn,
  walletsInJson,
} from "../../../src/ledger/mentions.ts";

const digits = "deadbeefcafe00112233445566778899aabbccdd";
const upper = digits.toUpperCase();
const mixed = "DeadBeefCAFE00112233445566778899aaBBccDD";
const padded = "0".repeat(24) + digits;
const replacements = new Map([[digits, "scrubbed:k:h"]]);

describe("a text names a wallet", () => {
  test.each([
    ["with 0x", `0x${digits}`],
    ["without 0x", digits],
    ["in upper case", `0X${upper}`],
    ["checksummed", `0x${mixed}`],
    ["as a 32-byte word", `0x${padded}`],
    ["as a 32-byte word without 0x", padded],
    ["among other words", `order 0x${digits}-7, again`],
    ["between underscores", `evt_${digits}_1`],
    ["in call data", `0xa9059cbb${padded}${"0".repeat(61)}1f4`],
    ["as the second word of call data", `0x23b872dd${"1".repeat(64)}${padded}`],
  ])("%s", (_, text) => {
    expect([...walletsIn(text)]).toContain(digits);
    expect(replaceWallets(text, replacements).toLowerCase()).not.toContain(digits);
  });
});

describe("a text names none", () => {
  test.each([
    ["of 39 digits", digits.slice(1)],
    ["of 41 digits", `${digits}0`],
    ["a transaction's hash", `0x${"ab".repeat(32)}`],
    ["a hash that begins with its digits", `0x${digits}${"1".repeat(24)}`],
    ["a token id", "71321045679252212594626385532706912750332728571942532289631379312455583992563"],
    ["the zero address", `0x${"0".repeat(40)}`],
    ["what stands for a wallet", `scrubbed:${"a1".repeat(8)}:${"b2".repeat(32)}`],
    ["nothing", ""],
  ])("%s", (_, text) => {
    expect([...walletsIn(text)]).toEqual([]);
  });
});

test("what stands around a wallet stays, and its 0x and padding go with it", () => {
  expect(replaceWallets(`a 0x${mixed}, b`, replacements)).toBe("a scrubbed:k:h, b");
  expect(replaceWallets(`evt_0x${padded}!`, replacements)).toBe("evt_scrubbed:k:h!");
  expect(replaceWallets(`0xa9059cbb${padded}01`, replacements)).toBe("0xa9059cbbscrubbed:k:h01");
});

test("another wallet stays as it is", () => {
  const other = `0x${"1".repeat(40)}`;
  expect(replaceWallets(`${other} 0x${digits}`, replacements)).toBe(`${other} scrubbed:k:h`);
});

test("a wallet of a small number is not taken for the zeros of a number", () => {
  const small = `${"0".repeat(39)}1`;
  const one = new Map([[small, "scrubbed:k:h"]]);
  expect(replaceWallets(`0x${"0".repeat(61)}1f4`, one)).toBe(`0x${"0".repeat(61)}1f4`);
  expect(replaceWallets(`0x${"0".repeat(24)}${small}`, one)).toBe("scrubbed:k:h");
  expect(replaceWallets(`0x${small}`, one)).toBe("scrubbed:k:h");
});

const escaped = [...`0x${mixed}`]
  .map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
  .join("");

describe("a JSON text names a wallet", () => {
  test.each([
    ["as a value", `{"w":"0x${mixed}"}`],
    ["as a key", `{"0x${mixed}":1}`],
    ["deep inside", `{"a":[{"b":["x ${digits} y"]}]}`],
    ["with every character escaped", `{"w":"${escaped}"}`],
    ["with one character escaped", `{"w":"\\u0030x${digits}"}`],
    ["behind an escape whose digits are hexadecimal", `{"w":"\\u0001${digits}"}`],
    ["behind a form feed, which is spelt with a digit", `{"w":"\\f${digits}"}`],
    ["once plainly and once escaped", `{"a":"0x${digits}","b":"${escaped}"}`],
  ])("%s", (_, json) => {
    expect([...walletsInJson(json)]).toEqual([digits]);
    const replaced = replaceWalletsInJson(json, replacements);
    expect(JSON.stringify(JSON.parse(replaced)).toLowerCase()).not.toContain(digits);
    expect(replaced).toContain("scrubbed:k:h");
  });
});

test("a number is no wallet, whatever its digits", () => {
  const decimal = "1234567890123456789012345678901234567890";
  const json = `{"n":${decimal},"f":0.${decimal},"w":"${decimal}"}`;
  expect([...walletsInJson(`{"n":${decimal}}`)]).toEqual([]);
  expect(replaceWalletsInJson(json, new Map([[decimal, "scrubbed:k:h"]]))).toBe(
    `{"n":${decimal},"f":0.${decimal},"w":"scrubbed:k:h"}`,
  );
});

test("what an escape spells by accident is no wallet", () => {
  expect([...walletsInJson(`{"w":"\\u${digits}"}`)]).toEqual([]);
});

test("two keys that spelt one wallet differently stay two keys", () => {
  const json = `{"0x${digits}":1,"0x${upper}":2,"a":{"0x${digits}":3}}`;
  expect(JSON.parse(replaceWalletsInJson(json, replacements))).toEqual({
    "scrubbed:k:h": 1,
    "scrubbed:k:h#2": 2,
    a: { "scrubbed:k:h": 3 },
  });
});

test("a text stays as it was sent, but for the wallet", () => {
  const json = `{"n":1.50e3,"s":"\\u0041\\/","w":"0x${digits}","deep":[null,true,{}]}`;
  expect(replaceWalletsInJson(json, replacements)).toBe(
    `{"n":1.50e3,"s":"\\u0041\\/","w":"scrubbed:k:h","deep":[null,true,{}]}`,
  );
});

test("any JSON is still JSON of the same shape, and one without wallets is the same text", () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      expect(replaceWalletsInJson(json, replacements)).toBe(json);
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.constantFrom(`0x${mixed}`, digits, "\f", '"', "\\", "a", "0")), (parts) => {
      const text = parts.join("");
      const scanned = scanJson(JSON.stringify([text]), { maxBytes: 1e6, maxDepth: 2, root: "any" });
      if (scanned.kind === "bad") throw new Error(scanned.problem.message);
      const values: unknown = JSON.parse(replaceWalletsInJson(scanned.value.text, replacements));
      expect(values).toEqual([replaceWallets(text, replacements)]);
    }),
  );
});

test("a replay of the same content gives the same text, whichever way its wallets are spelt", () => {
  const spelt = (wallet: string) => replaceWallets(`evt ${wallet}`, replacements);
  expect(new Set([`0x${digits}`, `0x${mixed}`, `0X${upper}`, digits, `0x${padded}`].map(spelt)).size).toBe(1);
});
