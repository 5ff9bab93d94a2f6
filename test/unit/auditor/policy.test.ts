import fc from "fast-check";
import { expect, test } from "vitest";
import { createPolicy, decide, type PolicySettings } from "../../../src/auditor/policy.ts";
import { nameKey, type Tier, tiers } from "../../../src/auditor/tiers.ts";
import { scanJson } from "../../../src/exact/json.ts";

function canonical(text: string): { canonical: string } {
  const scanned = scanJson(text, { maxBytes: 1000, maxDepth: 32, root: "any" });
  if (scanned.kind === "bad") throw new Error(scanned.problem.message);
  return scanned.value;
}

function write(more: { name?: string; ticketRef?: string | null; newJson?: string | undefined } = {}) {
  const [botSlug = "", ...rest] = (more.name ?? "strategy.sports.edge").split(/\.(?=[^.]*$)/);
  return {
    botKey: nameKey(botSlug),
    paramKey: nameKey(rest.join(".")),
    newValue: more.newJson === undefined ? null : canonical(more.newJson),
    ticketRef: more.ticketRef ?? null,
  };
}

const enforce: PolicySettings = {
  mode: "enforce",
  requireTicketFor: ["P0", "P1"],
  tiers: { "risk.*.max_position_pusd": "P1", "risk.killswitch.*": "P0" },
  stopping: [],
};

test("a P1 change without a ticket reference is rejected (spec 002 §26)", () => {
  expect(decide(write({ name: "risk.liquidityguard.max_position_pusd" }), createPolicy(enforce))).toEqual({
    verdict: "REJECT",
    allowed: false,
    reasonCode: "AUDIT_TICKET_REQUIRED",
    tier: "P1",
    ticketStatus: "ABSENT",
  });
});

test("the same change with a ticket is allowed", () => {
  const withTicket = write({ name: "risk.liquidityguard.max_position_pusd", ticketRef: "PTRD-1042" });
  expect(decide(withTicket, createPolicy(enforce))).toEqual({
    verdict: "ALLOW",
    allowed: true,
    reasonCode: "PARAM_CHANGED",
    tier: "P1",
    ticketStatus: "PRESENT",
  });
});

test("shadow_only says the same and lets it through (R5)", () => {
  const shadow = createPolicy({ ...enforce, mode: "shadow_only" });
  expect(decide(write({ name: "risk.killswitch.armed" }), shadow)).toEqual({
    verdict: "REJECT",
    allowed: true,
    reasonCode: "AUDIT_TICKET_REQUIRED",
    tier: "P0",
    ticketStatus: "ABSENT",
  });
});

test("a write towards stopping needs no ticket, and undoing it does (R7)", () => {
  const policy = createPolicy({ ...enforce, stopping: ["risk.killswitch.*=true"] });
  const armed = (newJson: string | undefined) =>
    decide(write({ name: "risk.killswitch.armed", newJson }), policy);
  expect(armed("true")).toMatchObject({
    allowed: true,
    reasonCode: "PARAM_CHANGED",
    ticketStatus: "NOT_REQUIRED",
  });
  for (const undoing of ["false", "null", '"true"', "1", undefined]) {
    expect(armed(undoing)).toMatchObject({ allowed: false, reasonCode: "AUDIT_TICKET_REQUIRED", tier: "P0" });
  }
});

test("the value that stops compares as a value, and the pattern as every pattern", () => {
  const policy = createPolicy({ ...enforce, stopping: ['*.max_position_pusd = {"b":0.0,"a":[]}'] });
  const name = "risk.liquidity_guard.Max-Position-PUSD";
  expect(decide(write({ name, newJson: '{"a":[],"b":0}' }), policy).allowed).toBe(true);
  expect(decide(write({ name, newJson: '{"a":[],"b":1}' }), policy).allowed).toBe(false);
});

test("a stopping pattern without a value covers every write to a parameter that can only stop", () => {
  const policy = createPolicy({ ...enforce, stopping: ["risk.killswitch.halt_requests"] });
  for (const newJson of ["1", "null", undefined]) {
    expect(decide(write({ name: "risk.killswitch.halt_requests", newJson }), policy).allowed).toBe(true);
  }
});

test("the version names the policy: the same for the same rules in any order, another for any change", () => {
  const version = (more: Partial<PolicySettings>) => createPolicy({ ...enforce, ...more }).version;
  const same = version({});
  expect(same).toMatch(/^[0-9a-f]{16}$/);
  expect(version({ requireTicketFor: ["P1", "P0"] })).toBe(same);
  expect(version({ tiers: Object.fromEntries(Object.entries(enforce.tiers).toReversed()) })).toBe(same);
  const others = [
    version({ mode: "shadow_only" }),
    version({ requireTicketFor: ["P0"] }),
    version({ tiers: { "risk.killswitch.*": "P0" } }),
    version({ tiers: { "risk.*.max_position_pusd": "P2", "risk.killswitch.*": "P0" } }),
    version({ stopping: ["risk.killswitch.*=true"] }),
    version({ stopping: ["risk.killswitch.*=false"] }),
  ];
  expect(new Set([same, ...others]).size).toBe(7);
});

const slug = fc.constantFrom(
  "risk.killswitch",
  "risk.kill_switch",
  "risk.a",
  "gov.useractivityledger",
  "strategy.x",
);
const param = fc.constantFrom("armed", "max_position_pusd", "edge", "halt");
const patterns = fc.constantFrom("*", "risk.*", "*.armed", "risk.killswitch.*", "strategy.x.edge", "gov.*");
const newJson = fc.constantFrom("true", "false", "0", undefined);
const anyWrite = fc
  .record({ slug, param, newJson, ticketRef: fc.constantFrom(null, "PTRD-1") })
  .map((given) => ({
    ...write({ newJson: given.newJson, ticketRef: given.ticketRef }),
    botKey: nameKey(given.slug),
    paramKey: nameKey(given.param),
  }));
const settings = fc.record({
  requireTicketFor: fc.subarray<Tier>([...tiers]),
  tiers: fc.dictionary(patterns, fc.constantFrom<Tier>(...tiers)),
  stopping: fc.array(
    fc.tuple(patterns, fc.constantFrom("", "=true", "=0")).map((parts) => parts.join("")),
    { maxLength: 2 },
  ),
});

/** Whether a write is towards stopping, told from the settings' text. */
function isTowardsStopping(stopping: readonly string[], given: ReturnType<typeof write>): boolean {
  return stopping.some((text) => {
    const [glob = "", value] = text.split("=");
    const source = glob.replaceAll(".", "\\.").replaceAll("*", ".*");
    const isNamed = new RegExp(`^${source}$`).test(`${given.botKey}.${given.paramKey}`);
    return isNamed && (value === undefined || given.newValue?.canonical === canonical(value).canonical);
  });
}

test("in enforce a tier of require_ticket_for never passes without a ticket, unless it is towards stopping", () => {
  fc.assert(
    fc.property(settings, anyWrite, (given, asked) => {
      const decision = decide(asked, createPolicy({ ...given, mode: "enforce" }));
      const needs =
        given.requireTicketFor.includes(decision.tier) && !isTowardsStopping(given.stopping, asked);
      const rejected = needs && asked.ticketRef === null;
      expect(decision.allowed).toBe(!rejected);
      expect(decision.verdict).toBe(rejected ? "REJECT" : "ALLOW");
      expect(decision.reasonCode).toBe(rejected ? "AUDIT_TICKET_REQUIRED" : "PARAM_CHANGED");
      expect(decision.ticketStatus).toBe(
        asked.ticketRef !== null ? "PRESENT" : needs ? "ABSENT" : "NOT_REQUIRED",
      );
    }),
    { numRuns: 1000 },
  );
});

test("shadow_only never disallows, and says otherwise what enforce says", () => {
  fc.assert(
    fc.property(settings, anyWrite, (given, asked) => {
      const enforced = decide(asked, createPolicy({ ...given, mode: "enforce" }));
      const shadowed = decide(asked, createPolicy({ ...given, mode: "shadow_only" }));
      expect(shadowed).toEqual({ ...enforced, allowed: true });
    }),
    { numRuns: 500 },
  );
});

test("tiers that need no ticket never do, and a ticket never makes a verdict stricter", () => {
  fc.assert(
    fc.property(settings, anyWrite, (given, asked) => {
      const policy = createPolicy({ ...given, mode: "enforce" });
      const decision = decide({ ...asked, ticketRef: null }, policy);
      if (!given.requireTicketFor.includes(decision.tier)) expect(decision.allowed).toBe(true);
      expect(decide({ ...asked, ticketRef: "PTRD-1" }, policy)).toMatchObject({
        allowed: true,
        tier: decision.tier,
      });
    }),
    { numRuns: 500 },
  );
});
