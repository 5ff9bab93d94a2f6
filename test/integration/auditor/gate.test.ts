import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  Durability,
  FieldChangeKind,
  Mode,
  TicketStatus,
  Verdict,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs } from "../../support/callers.ts";
import { readExport } from "../../support/exportReader.ts";
import { startTestService } from "../../support/service.ts";
import { enforce, exampleTiers, type WriteInit, write } from "./writes.ts";

const running = new AsyncDisposableStack();
afterAll(() => running.disposeAsync());

async function auditorWith(
  config: string,
): Promise<{ configStore: AuditorClient; compliance: AuditorClient }> {
  const service = running.use(await startTestService({ config }));
  return {
    configStore: await auditorAs(service, "config-store"),
    compliance: await auditorAs(service, "compliance"),
  };
}

const positionCap: Partial<WriteInit> = { botSlug: "risk.liquidityguard", paramName: "max_position_pusd" };
const killSwitch: Partial<WriteInit> = { botSlug: "risk.killswitch", paramName: "armed" };

const ticketRequired = {
  verdict: Verdict.REJECT,
  reasonCode: "AUDIT_TICKET_REQUIRED",
  userMessage: "This parameter requires an approved change ticket before it can be modified.",
  ticketStatus: TicketStatus.ABSENT,
  durability: Durability.DURABLE,
};

test("a blank ticket is no ticket, and is kept as it came", async () => {
  const { configStore } = await auditorWith(enforce);
  const answer = await configStore.checkWrite(write("x", { ...positionCap, ticketRef: " \t " }));
  expect(answer).toMatchObject({ ...ticketRequired, allowed: false, report: { ticketRef: " \t " } });
});

describe("in enforce", () => {
  let configStore: AuditorClient;
  let compliance: AuditorClient;
  beforeAll(async () => {
    ({ configStore, compliance } = await auditorWith(enforce));
  });

  test.each<[string, Partial<WriteInit>, string]>([
    ["a P1", positionCap, "P1"],
    ["a P0", killSwitch, "P0"],
    ["a differently spelt P0", { botSlug: "Risk.Kill_Switch", paramName: "AR-MED" }, "P0"],
    ["one of the service's own", { botSlug: "gov.useractivityledger", paramName: "retain_days" }, "P0"],
    ["a differently spelt one of the service's own", { botSlug: "GOV.x", paramName: "y" }, "P0"],
    ["one of the service's own under another first dot", { botSlug: "gov", paramName: "x.y" }, "P0"],
    ["a P1 with an empty ticket", { ...positionCap, ticketRef: "" }, "P1"],
  ])("%s change without a ticket is rejected, and recorded as rejected", async (what, more, paramTier) => {
    const answer = await configStore.checkWrite(write("x", { ...more, traceId: what }));
    expect(answer).toMatchObject({ ...ticketRequired, allowed: false, mode: Mode.ENFORCE, paramTier });
    expect(answer.report).toMatchObject({
      eventType: "AUDIT_TICKET_REQUIRED",
      verdict: "REJECT",
      mode: "ENFORCE",
      paramTier,
    });
    expect(answer.report?.ticketRef).toBeUndefined();
    const { changes } = await compliance.listParameterChanges({ pageSize: 1 });
    expect(changes).toMatchObject([
      {
        allowed: false,
        reasonCode: "AUDIT_TICKET_REQUIRED",
        report: { decisionId: answer.decisionId, traceId: what },
      },
    ]);
  });

  test.each<[string, Partial<WriteInit>, string, TicketStatus]>([
    ["a P1 with a ticket", { ...positionCap, ticketRef: "PTRD-1042" }, "P1", TicketStatus.PRESENT],
    ["a P0 with a ticket", { ...killSwitch, ticketRef: "PTRD-1" }, "P0", TicketStatus.PRESENT],
    ["a P2 without a ticket", {}, "P2", TicketStatus.NOT_REQUIRED],
    ["a P2 with a ticket", { ticketRef: "PTRD-2" }, "P2", TicketStatus.PRESENT],
  ])("%s is allowed", async (_, more, paramTier, ticketStatus) => {
    const answer = await configStore.checkWrite(write("edge", more));
    expect(answer).toMatchObject({
      allowed: true,
      verdict: Verdict.ALLOW,
      mode: Mode.ENFORCE,
      paramTier,
      ticketStatus,
    });
    expect(answer).toMatchObject({
      reasonCode: "PARAM_CHANGED",
      report: { eventType: "PARAM_CHANGED", verdict: "ALLOW" },
    });
  });

  test("a dry run says what would happen and records nothing", async () => {
    const count = async () =>
      (await readExport(compliance.exportParameterChanges({}))).trailer.throughPosition;
    const before = await count();
    const dry = await configStore.checkWrite(
      write("x", { ...positionCap, dryRun: true, writeId: "dry", oldValueJson: "1", newValueJson: "2" }),
    );
    expect(dry).toMatchObject({
      allowed: false,
      verdict: Verdict.REJECT,
      reasonCode: "AUDIT_TICKET_REQUIRED",
      durability: Durability.NOT_RECORDED,
      decisionId: "",
      diff: [{ kind: FieldChangeKind.CHANGED, oldJson: "1", newJson: "2" }],
    });
    expect(dry.report).toBeUndefined();
    expect(await count()).toBe(before);
    const real = await configStore.checkWrite(
      write("x", { ...positionCap, writeId: "dry", newValueJson: "3" }),
    );
    expect(real, "and its write_id is not used up").toMatchObject({
      replayed: false,
      durability: Durability.DURABLE,
    });
  });
});

test("shadow_only is the default: the same verdict is given and recorded, and the write goes through (R5)", async () => {
  const { configStore, compliance } = await auditorWith(exampleTiers);
  const answer = await configStore.checkWrite(write("x", killSwitch));
  expect(answer).toMatchObject({ ...ticketRequired, allowed: true, mode: Mode.SHADOW_ONLY, paramTier: "P0" });
  expect(answer.report, "history follows writes, not verdicts").toMatchObject({
    eventType: "PARAM_CHANGED",
    verdict: "REJECT",
    mode: "SHADOW_ONLY",
  });
  const { lines } = await readExport(compliance.exportParameterChanges({ verdict: Verdict.REJECT }));
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { allowed: true, verdict: "REJECT", reason_code: "AUDIT_TICKET_REQUIRED", event_type: "PARAM_CHANGED" },
  ]);
});

test("the file says which tiers need a ticket, and what tier a parameter has", async () => {
  const { configStore } = await auditorWith(`
gov.parameterchangeauditor: { mode: enforce, require_ticket_for: [P2] }
tiers: { "strategy.*": P3, "strategy.sports.*": P2, "*.edge": P3 }
`);
  const tierAndVerdict = async (more: Partial<WriteInit>) => {
    const { paramTier, allowed } = await configStore.checkWrite(write("edge", more));
    return [paramTier, allowed];
  };
  expect(await tierAndVerdict({})).toEqual(["P2", false]);
  expect(await tierAndVerdict({ botSlug: "strategy.nba" })).toEqual(["P3", true]);
  expect(await tierAndVerdict({ botSlug: "other" })).toEqual(["P3", true]);
  expect(await tierAndVerdict({ botSlug: "other", paramName: "x" })).toEqual(["P2", false]);
  expect(await tierAndVerdict({ botSlug: "gov.x" })).toEqual(["P3", true]);
  expect(await tierAndVerdict({ botSlug: "gov.x", paramName: "y" })).toEqual(["P0", true]);
});

test("writes towards stopping are never behind a ticket, undoing them is (R7)", async () => {
  const { configStore } = await auditorWith(`${enforce}
stopping: ["risk.killswitch.*=true", "risk.*.max_position_pusd=0", "*.halt_requests"]
`);
  const isAllowed = async (more: Partial<WriteInit>) =>
    (await configStore.checkWrite(write("x", more))).allowed;
  const number = (value: number): WriteInit["newValue"] => ({ kind: { case: "numberValue", value } });
  expect(await isAllowed({ ...killSwitch, newValueJson: "true" })).toBe(true);
  expect(await isAllowed({ botSlug: "RISK.kill-switch", paramName: "armed", newValueJson: "true" })).toBe(
    true,
  );
  expect(await isAllowed({ ...killSwitch, newValueJson: "false" })).toBe(false);
  expect(await isAllowed(killSwitch), "removing it").toBe(false);
  expect(await isAllowed({ ...positionCap, newValue: number(0) })).toBe(true);
  expect(await isAllowed({ ...positionCap, newValueJson: "0.00" })).toBe(true);
  expect(await isAllowed({ ...positionCap, newValue: number(0.01) })).toBe(false);
  expect(
    await isAllowed({ botSlug: "risk.killswitch", paramName: "halt_requests", newValueJson: "17" }),
  ).toBe(true);
});

test("a nested value is compared member by member, by value and to the digit", async () => {
  const { configStore } = await auditorWith("");
  const { diff } = await configStore.checkWrite(
    write("limits", {
      oldValueJson:
        '{"a":{"max":1.0,"min":[1,2,3]},"b/c~d":9007199254740993,"gone":null,"same":1e2,"__proto__":1}',
      newValueJson:
        '{"a":{"max":1,"min":[1,5]},"b/c~d":9007199254740992,"new":{"x":0.10},"same":100,"__proto__":2}',
    }),
  );
  const { CHANGED, REMOVED, ADDED } = FieldChangeKind;
  expect(diff).toMatchObject([
    { path: "/a/min/1", kind: CHANGED, oldJson: "2", newJson: "5" },
    { path: "/a/min/2", kind: REMOVED, oldJson: "3" },
    { path: "/b~1c~0d", kind: CHANGED, oldJson: "9007199254740993", newJson: "9007199254740992" },
    { path: "/gone", kind: REMOVED, oldJson: "null" },
    { path: "/__proto__", kind: CHANGED, oldJson: "1", newJson: "2" },
    { path: "/new", kind: ADDED, newJson: '{"x":0.10}' },
  ]);
});

test("a diff of very many changes is cut, says by how many, and the values are whole", async () => {
  const { configStore } = await auditorWith("");
  const list = (offset: number) => JSON.stringify(Array.from({ length: 1_500 }, (_, i) => i + offset));
  const answer = await configStore.checkWrite(
    write("many", { oldValueJson: list(0), newValueJson: list(1) }),
  );
  expect([answer.diff.length, answer.diffOmitted]).toEqual([1000, 500]);
  expect(answer.report?.newValueJson).toBe(list(1));
});
