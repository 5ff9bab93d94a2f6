import fc from "fast-check";
import { expect, test } from "vitest";
import { createPolicy } from "../../../src/auditor/policy.ts";
import { nameKey, parsePattern, type Tier, tierOf, tiers } from "../../../src/auditor/tiers.ts";

function tier(rules: Record<string, Tier>, botSlug: string, paramName: string): Tier {
  const policy = createPolicy({ mode: "enforce", requireTicketFor: [], tiers: rules, stopping: [] });
  return tierOf(policy.tiers, nameKey(botSlug), nameKey(paramName));
}

const examples: Record<string, Tier> = { "risk.*.max_position_pusd": "P1", "risk.killswitch.*": "P0" };

test.each<[string, string, Tier]>([
  ["risk.liquidityguard", "max_position_pusd", "P1"],
  ["risk.a.b.c", "max_position_pusd", "P1"],
  ["risk.killswitch", "armed", "P0"],
  ["risk.kill_switch", "armed", "P0"],
  ["Risk.Kill-Switch", "ARMED", "P0"],
  ["risk.killswitch", "limits.daily.armed", "P0"],
  ["risk.killswitches", "armed", "P2"],
  ["strategy.sports", "edge", "P2"],
])("%s.%s is %s by the examples of the contract", (botSlug, paramName, expected) => {
  expect(tier(examples, botSlug, paramName)).toBe(expected);
});

test("the service's own parameters are P0 unless a pattern says otherwise, however the name is split", () => {
  expect(tier({}, "gov.useractivityledger", "retain_days")).toBe("P0");
  expect(tier({}, "GOV.parameter_change_auditor", "mode")).toBe("P0");
  expect(tier({}, "gov", "useractivityledger.retain_days")).toBe("P0");
  expect(tier({}, "g-o_v", "useractivityledger.retain_days")).toBe("P0");
  expect(tier({}, "governor", "x")).toBe("P2");
  expect(tier({ "*": "P3" }, "gov.useractivityledger", "retain_days")).toBe("P3");
});

test("the pattern with most literal characters wins, wherever they stand", () => {
  expect(tier({ "*": "P0", "risk.*": "P3" }, "risk.a", "b")).toBe("P3");
  expect(tier({ "risk.*": "P0", "*.a.bb": "P2", "risk.a.*": "P3" }, "risk.a", "bb")).toBe("P3");
  expect(tier({ "risk.a.b": "P3", "risk.a.*": "P0" }, "risk.a", "b")).toBe("P3");
});

test("between equally specific patterns the stricter tier wins", () => {
  expect(tier({ "risk.*": "P3", "*.cap": "P1" }, "risk", "cap"), "5 literals against 4").toBe("P3");
  expect(tier({ "risk.*": "P3", "*k.cap": "P1" }, "risk", "cap"), "5 literals each").toBe("P1");
  expect(tier({ "a.*": "P3", "*.b": "P1" }, "a", "b")).toBe("P1");
  expect(tier({ "a.*": "P0", "*.b": "P1" }, "a", "b")).toBe("P0");
  expect(tier({ "risk.kill_switch": "P2", "risk.killswitch": "P0" }, "risk", "KillSwitch")).toBe("P0");
});

// Few characters, so that names and patterns meet often; case and separators are what must not count.
const piece = fc.string({
  unit: fc.constantFrom("a", "b", "A", "B", "_", "-", "."),
  minLength: 1,
  maxLength: 4,
});
const name = fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join(""));
const pattern = fc
  .array(fc.oneof(piece, fc.constant("*")), { minLength: 1, maxLength: 5 })
  .map((parts) => parts.join(""));
const anyTier = fc.constantFrom(...tiers);

/** A pattern's meaning by another road: a regular expression. */
function matchesByRegex(text: string, joined: string): boolean {
  const source = text
    .split("*")
    .map((part) => plain(part).replaceAll(".", "\\."))
    .join(".*");
  return new RegExp(`^${source}$`, "s").test(plain(joined));
}

function plain(text: string): string {
  return text.replaceAll("_", "").replaceAll("-", "").toLowerCase();
}

test("a star stands for any characters, dots too, and everything else for itself", () => {
  fc.assert(
    fc.property(pattern, name, name, (text, bot, param) => {
      const matched = parsePattern(text).matches(nameKey(bot), nameKey(param));
      expect(matched).toBe(matchesByRegex(text, `${bot}.${param}`));
    }),
    { numRuns: 2000 },
  );
});

test("of all patterns that match none is more specific than the one that decides, nor as specific and stricter", () => {
  const rules = fc.dictionary(pattern, anyTier, { maxKeys: 8 });
  fc.assert(
    fc.property(rules, name, name, (given, bot, param) => {
      const literals = (text: string) => plain(text.replaceAll("*", "")).length;
      const matching = Object.entries(given).filter(([text]) => matchesByRegex(text, `${bot}.${param}`));
      const most = Math.max(...matching.map(([text]) => literals(text)));
      const deciding = matching.filter(([text]) => literals(text) === most).map(([, of]) => of);
      expect(tier(given, bot, param)).toBe(deciding.length === 0 ? "P2" : deciding.toSorted()[0]);
    }),
    { numRuns: 1000 },
  );
});

test("no spelling of a name slips past its tier: case, _ and - do not count", () => {
  const spelling = fc.func(fc.constantFrom("", "_", "-", "up"));
  fc.assert(
    fc.property(
      fc.dictionary(pattern, anyTier, { maxKeys: 5 }),
      name,
      name,
      spelling,
      (given, bot, param, spell) => {
        const respelt = (text: string) =>
          [...text]
            .map((character, at) => {
              const how = spell(at, character);
              return how === "up" ? character.toUpperCase() : character + how;
            })
            .join("");
        expect(tier(given, respelt(bot), respelt(param))).toBe(tier(given, bot, param));
      },
    ),
    { numRuns: 500 },
  );
});

test("a long name against many stars is decided at once", () => {
  const started = performance.now();
  const hostile = parsePattern(`${"a*".repeat(300)}b`);
  expect(hostile.matches("a".repeat(128), "a".repeat(512))).toBe(false);
  expect(performance.now() - started).toBeLessThan(1_000);
});
