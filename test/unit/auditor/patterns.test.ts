import fc from "fast-check";
import { expect, test } from "vitest";
import { remarksOn } from "../../../src/auditor/review/patterns.ts";
import { nameKey, parsePattern, type Tier, tierOf, tiers } from "../../../src/auditor/tiers.ts";

test("a pattern beside one that matches more, as specifically, and is stricter never decides", () => {
  expect(remarksOn({ "risk.a.cap": "P2", "risk.*a.cap": "P0" })).toEqual([
    { kind: "never_decides", pattern: "risk.a.cap", by: "risk.*a.cap" },
  ]);
});

test("of two spellings of one pattern the laxer never decides, and of the same tier the later", () => {
  expect(remarksOn({ "risk.kill_switch.*": "P1", "risk.killswitch.*": "P0" })).toEqual([
    { kind: "never_decides", pattern: "risk.kill_switch.*", by: "risk.killswitch.*" },
  ]);
  expect(remarksOn({ "risk.kill_switch.*": "P1", "Risk.KillSwitch.*": "P1" })).toEqual([
    { kind: "never_decides", pattern: "Risk.KillSwitch.*", by: "risk.kill_switch.*" },
  ]);
});

test("a pattern without a dot or a star matches nothing", () => {
  expect(remarksOn({ max_position_pusd: "P1" })).toEqual([
    { kind: "matches_nothing", pattern: "max_position_pusd" },
  ]);
});

test("equally specific patterns of different tiers that match a common name are a tie", () => {
  expect(remarksOn({ "risk.*": "P2", "risk.*.cap": "P1" })).toEqual([]);
  expect(remarksOn({ "risk.*": "P2", "*.cap1": "P0" })).toEqual([
    { kind: "tie", stricter: "*.cap1", laxer: "risk.*" },
  ]);
  expect(remarksOn({ "risk.a.*": "P2", "risk.b.*": "P0" })).toEqual([]);
});

test("a pattern that takes gov.* from P0 without naming it is told", () => {
  expect(remarksOn({ "*": "P3" })).toEqual([{ kind: "lowers_gov", pattern: "*" }]);
  expect(remarksOn({ "*.mode": "P1" })).toEqual([{ kind: "lowers_gov", pattern: "*.mode" }]);
  expect(remarksOn({ "gov.*": "P1", "risk.*": "P3", "*.armed": "P0" })).toEqual([]);
});

/** Few letters, so that patterns meet. */
const letter = fc.constantFrom("a", "b", ".", "*");
const pattern = fc.array(letter, { minLength: 1, maxLength: 4 }).map((letters) => letters.join(""));
const rules = fc.dictionary(pattern, fc.constantFrom<Tier>(...tiers), { minKeys: 1, maxKeys: 4 });

/** Every name up to seven characters that patterns of at most four letters can have in common. */
const names: string[] = [];
for (let length = 3; length <= 7; length++) {
  for (let code = 0; code < 3 ** length; code++) {
    const name = Array.from({ length }, (_, i) => "ab."[Math.floor(code / 3 ** i) % 3]).join("");
    if (/^[^.].*\..*[^.]$|^.+\..+$/.test(name)) names.push(name);
  }
}

test("a pattern said never to decide can be left out without changing any tier", () => {
  fc.assert(
    fc.property(rules, (given) => {
      const idle = remarksOn(given).filter(
        ({ kind }) => kind === "never_decides" || kind === "matches_nothing",
      );
      const all = Object.entries(given).map(([text, tier]) => ({ pattern: parsePattern(text), tier }));
      for (const remark of idle) {
        if (!("pattern" in remark)) continue;
        const without = all.filter((rule) => rule.pattern.text !== remark.pattern);
        for (const name of names) {
          const at = name.indexOf(".", 1);
          const [bot, param] = [nameKey(name.slice(0, at)), nameKey(name.slice(at + 1))];
          expect(tierOf(without, bot, param), name).toBe(tierOf(all, bot, param));
        }
      }
    }),
    { numRuns: 100 },
  );
});

test("two patterns are told as a tie exactly when some name is matched by both and neither covers the other", () => {
  fc.assert(
    fc.property(pattern, pattern, (first, second) => {
      fc.pre(first !== second);
      const kinds = remarksOn({ [first]: "P1", [second]: "P2" }).map(({ kind }) => kind);
      const [a, b] = [parsePattern(first), parsePattern(second)];
      const common = names.some((name) => {
        const at = name.indexOf(".", 1);
        const [bot, param] = [name.slice(0, at), name.slice(at + 1)];
        return a.matches(bot, param) && b.matches(bot, param);
      });
      if (kinds.includes("tie")) expect([a.literals, common]).toEqual([b.literals, true]);
      else if (common && !kinds.includes("never_decides")) {
        // Then one of them is more specific, or the stricter one lies within the laxer.
        const isWithin = remarksOn({ [first]: "P2", [second]: "P1" }).some(
          (it) => it.kind === "never_decides",
        );
        expect(a.literals !== b.literals || isWithin).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});
