import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createPolicy,
  type Decision,
  decide,
  hasTicketRef,
  isAutomated,
  type PolicySettings,
  type Ticket,
} from "../../../src/auditor/policy.ts";
import { nameKey, type Tier, tiers } from "../../../src/auditor/tiers.ts";
import { scanJson } from "../../../src/exact/json.ts";

function canonical(text: string): { canonical: string } {
  const scanned = scanJson(text, { maxBytes: 1000, maxDepth: 32, root: "any" });
  if (scanned.kind === "bad") throw new Error(scanned.problem.message);
  return scanned.value;
}

function write(more: { name?: string; newJson?: string | undefined } = {}) {
  const [botSlug = "", ...rest] = (more.name ?? "strategy.sports.edge").split(/\.(?=[^.]*$)/);
  return {
    botKey: nameKey(botSlug),
    paramKey: nameKey(rest.join(".")),
    newValue: more.newJson === undefined ? null : canonical(more.newJson),
  };
}

const enforce: PolicySettings = {
  mode: "enforce",
  requireTicketFor: ["P0", "P1"],
  tiers: { "risk.*.max_position_pusd": "P1", "risk.killswitch.*": "P0" },
  stopping: [],
};

const none: Ticket = { kind: "absent" };
const positionCap = write({ name: "risk.liquidityguard.max_position_pusd" });
const killSwitch = write({ name: "risk.killswitch.armed" });

test("a P1 change without a ticket reference is rejected (spec 002 §26)", () => {
  const policy = createPolicy(enforce);
  expect(decide(positionCap, policy, none)).toEqual({
    verdict: "REJECT",
    allowed: false,
    reasonCode: "AUDIT_TICKET_REQUIRED",
    tier: "P1",
    ticketStatus: "ABSENT",
    policyVersion: policy.version,
  });
});

test.each<[Ticket, Partial<Decision>]>([
  [{ kind: "unchecked" }, { allowed: true, reasonCode: "PARAM_CHANGED", ticketStatus: "PRESENT" }],
  [{ kind: "valid" }, { allowed: true, reasonCode: "PARAM_CHANGED", ticketStatus: "VALID" }],
  [{ kind: "unverified" }, { allowed: true, reasonCode: "PARAM_CHANGED", ticketStatus: "UNVERIFIED" }],
  [
    { kind: "invalid", why: "closed" },
    { allowed: false, reasonCode: "AUDIT_TICKET_INVALID", ticketStatus: "INVALID" },
  ],
])("the same change with a ticket that is %j (R7)", (ticket, said) => {
  expect(decide(positionCap, createPolicy(enforce), ticket)).toMatchObject({ ...said, tier: "P1" });
});

test("a tier may be closed while the ticket system is down, and only that tier (R7)", () => {
  const policy = createPolicy({ ...enforce, onTicketSystemDown: { P0: "reject", P1: "allow" } });
  expect(decide(killSwitch, policy, { kind: "unverified" })).toMatchObject({
    verdict: "REJECT",
    allowed: false,
    reasonCode: "AUDIT_TICKET_REQUIRED",
    ticketStatus: "UNVERIFIED",
  });
  expect(decide(positionCap, policy, { kind: "unverified" })).toMatchObject({
    verdict: "ALLOW",
    allowed: true,
  });
});

test("an invalid ticket that is not needed is recorded and rejects nothing", () => {
  const invalid: Ticket = { kind: "invalid", why: "not_found" };
  expect(decide(write(), createPolicy(enforce), invalid)).toMatchObject({
    allowed: true,
    reasonCode: "PARAM_CHANGED",
    tier: "P2",
    ticketStatus: "INVALID",
  });
});

test("shadow_only says the same and lets it through (R5)", () => {
  const shadow = createPolicy({ ...enforce, mode: "shadow_only" });
  expect(decide(killSwitch, shadow, none)).toEqual({
    verdict: "REJECT",
    allowed: true,
    reasonCode: "AUDIT_TICKET_REQUIRED",
    tier: "P0",
    ticketStatus: "ABSENT",
    policyVersion: shadow.version,
  });
});

test("a write towards stopping needs no ticket, and undoing it does (R7)", () => {
  const policy = createPolicy({ ...enforce, stopping: ["risk.killswitch.*=true"] });
  const armed = (newJson: string | undefined) =>
    decide(write({ name: "risk.killswitch.armed", newJson }), policy, none);
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
  expect(decide(write({ name, newJson: '{"a":[],"b":0}' }), policy, none).allowed).toBe(true);
  expect(decide(write({ name, newJson: '{"a":[],"b":1}' }), policy, none).allowed).toBe(false);
});

test("a stopping pattern without a value covers every write to a parameter that can only stop", () => {
  const policy = createPolicy({ ...enforce, stopping: ["risk.killswitch.halt_requests"] });
  for (const newJson of ["1", "null", undefined]) {
    expect(decide(write({ name: "risk.killswitch.halt_requests", newJson }), policy, none).allowed).toBe(
      true,
    );
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
    version({ onTicketSystemDown: { P0: "reject" } }),
    version({ onTicketSystemDown: { P1: "reject" } }),
    version({ automation: [{ subject: "bot", pattern: "risk.*" }] }),
    version({ automation: [{ subject: "bot", pattern: "risk.*.ttl" }] }),
  ];
  expect(version({ onTicketSystemDown: { P0: "allow" } })).toBe(same);
  expect(new Set([same, ...others]).size).toBe(1 + others.length);
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
const anyWrite = fc.record({ slug, param, newJson }).map((given) => ({
  ...write({ newJson: given.newJson }),
  botKey: nameKey(given.slug),
  paramKey: nameKey(given.param),
}));
const anyTicket = fc.constantFrom<Ticket>(
  none,
  { kind: "unchecked" },
  { kind: "valid" },
  { kind: "invalid", why: "closed" },
  { kind: "invalid", why: "other_parameter" },
  { kind: "unverified" },
);
const settings = fc.record({
  requireTicketFor: fc.subarray<Tier>([...tiers]),
  tiers: fc.dictionary(patterns, fc.constantFrom<Tier>(...tiers)),
  stopping: fc.array(
    fc.tuple(patterns, fc.constantFrom("", "=true", "=0")).map((parts) => parts.join("")),
    { maxLength: 2 },
  ),
  onTicketSystemDown: fc.dictionary(
    fc.constantFrom<Tier>(...tiers),
    fc.constantFrom<"allow" | "reject">("allow", "reject"),
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

test("in enforce a tier of require_ticket_for never passes without a good ticket, unless it is towards stopping", () => {
  fc.assert(
    fc.property(settings, anyWrite, anyTicket, (given, asked, ticket) => {
      const decision = decide(asked, createPolicy({ ...given, mode: "enforce" }), ticket);
      const needs =
        given.requireTicketFor.includes(decision.tier) && !isTowardsStopping(given.stopping, asked);
      const isClosedWhileDown = given.onTicketSystemDown[decision.tier] === "reject";
      const rejected =
        needs &&
        (ticket.kind === "absent" ||
          ticket.kind === "invalid" ||
          (ticket.kind === "unverified" && isClosedWhileDown));
      expect(decision.allowed).toBe(!rejected);
      expect(decision.verdict).toBe(rejected ? "REJECT" : "ALLOW");
      const code = ticket.kind === "invalid" ? "AUDIT_TICKET_INVALID" : "AUDIT_TICKET_REQUIRED";
      expect(decision.reasonCode).toBe(rejected ? code : "PARAM_CHANGED");
      if (ticket.kind === "absent") expect(decision.ticketStatus).toBe(needs ? "ABSENT" : "NOT_REQUIRED");
    }),
    { numRuns: 1000 },
  );
});

test("shadow_only never disallows, and says otherwise what enforce says", () => {
  fc.assert(
    fc.property(settings, anyWrite, anyTicket, (given, asked, ticket) => {
      const enforced = decide(asked, createPolicy({ ...given, mode: "enforce" }), ticket);
      const shadow = createPolicy({ ...given, mode: "shadow_only" });
      const shadowed = decide(asked, shadow, ticket);
      expect(shadowed).toEqual({ ...enforced, allowed: true, policyVersion: shadow.version });
    }),
    { numRuns: 500 },
  );
});

test("tiers that need no ticket never do, whatever is known of one", () => {
  fc.assert(
    fc.property(settings, anyWrite, anyTicket, (given, asked, ticket) => {
      const decision = decide(asked, createPolicy({ ...given, mode: "enforce" }), ticket);
      if (!given.requireTicketFor.includes(decision.tier))
        expect(decision).toMatchObject({ allowed: true, verdict: "ALLOW", reasonCode: "PARAM_CHANGED" });
    }),
    { numRuns: 500 },
  );
});

test("a valid ticket never makes a verdict stricter, and one nobody checked counts as one", () => {
  fc.assert(
    fc.property(settings, anyWrite, (given, asked) => {
      const policy = createPolicy({ ...given, mode: "enforce" });
      for (const kind of ["valid", "unchecked"] as const)
        expect(decide(asked, policy, { kind })).toMatchObject({ allowed: true, reasonCode: "PARAM_CHANGED" });
    }),
    { numRuns: 200 },
  );
});

test("a verdict names the policy it was given under, and the same inputs give the same verdict", () => {
  fc.assert(
    fc.property(settings, anyWrite, anyTicket, (given, asked, ticket) => {
      const policy = createPolicy({ ...given, mode: "enforce" });
      const decision = decide(asked, policy, ticket);
      expect(decision.policyVersion).toBe(policy.version);
      expect(
        decide(structuredClone(asked), createPolicy({ ...given, mode: "enforce" }), { ...ticket }),
      ).toEqual(decision);
    }),
    { numRuns: 200 },
  );
});

test.each<[string | null, boolean]>([
  [null, false],
  ["", false],
  [" \t\n", false],
  ["\u00a0", false],
  ["PTRD-1", true],
  [" x ", true],
])("the reference %j is a ticket: %s", (ticketRef, isOne) => {
  expect(hasTicketRef({ ticketRef })).toBe(isOne);
});

test("automation is the token's subject with a parameter of its patterns, and bears on no verdict (R16)", () => {
  const policy = createPolicy({
    ...enforce,
    automation: [
      { subject: "refresher", pattern: "strategy.*.ttl_seconds" },
      { subject: "refresher", pattern: "risk.killswitch.armed" },
    ],
  });
  const ttl = write({ name: "strategy.sports.TTL-seconds" });
  expect(isAutomated(policy, "refresher", ttl)).toBe(true);
  expect(isAutomated(policy, "Refresher", ttl)).toBe(false);
  expect(isAutomated(policy, "other", ttl)).toBe(false);
  expect(isAutomated(policy, "refresher", positionCap)).toBe(false);
  expect(isAutomated(policy, "refresher", killSwitch)).toBe(true);
  expect(decide(killSwitch, policy, none)).toMatchObject({
    allowed: false,
    reasonCode: "AUDIT_TICKET_REQUIRED",
  });
});
