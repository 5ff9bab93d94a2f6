import { afterAll, beforeAll, expect, test } from "vitest";
import {
  TicketStatus,
  Verdict,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { type AuditorClient, auditorAs } from "../../support/callers.ts";
import { readExport } from "../../support/exportReader.ts";
import { logRecords } from "../../support/logRecords.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { enforce, write } from "./writes.ts";

const log = logRecords();
let service: TestService;
let oncall: AuditorClient;
let configStore: AuditorClient;
let compliance: AuditorClient;
beforeAll(async () => {
  service = await startTestService({ config: enforce, log: log.log });
  oncall = await auditorAs(service, "break-glass", { subject: "oncall" });
  configStore = await auditorAs(service, "config-store");
  compliance = await auditorAs(service, "compliance", { subject: "carol" });
});
afterAll(() => service[Symbol.asyncDispose]());

const breakGlassReason = "the venue is down and positions have to go";
const p0 = (paramName: string) => write(paramName, { botSlug: "risk.killswitch", newValueJson: "false" });

/** The open uses of break-glass that the caller reads, by parameter. */
async function open(reader = compliance): Promise<string[]> {
  const { uses } = await reader.listBreakGlass({});
  return uses.map(({ change }) => change?.report?.paramName ?? "");
}

test("with the role and a reason any tier passes without a ticket in enforce, and is recorded as that", async () => {
  expect(await configStore.checkWrite(p0("armed"))).toMatchObject({ allowed: false });
  const answer = await oncall.checkWrite({ ...p0("armed"), breakGlassReason });
  expect(answer).toMatchObject({
    allowed: true,
    verdict: Verdict.ALLOW,
    reasonCode: "BREAK_GLASS_USED",
    paramTier: "P0",
    ticketStatus: TicketStatus.ABSENT,
    report: { eventType: "PARAM_CHANGED", recordedBy: "oncall" },
  });
  const { changes } = await compliance.listParameterChanges({ paramName: "armed", verdict: Verdict.ALLOW });
  expect(changes).toMatchObject([{ reasonCode: "BREAK_GLASS_USED", breakGlassReason }]);
  const { lines } = await readExport(compliance.exportParameterChanges({ paramName: "armed" }));
  expect(JSON.parse(lines[1] ?? "")).toMatchObject({
    reason_code: "BREAK_GLASS_USED",
    break_glass_reason: breakGlassReason,
  });
  const { values } = await compliance.getConfigAsOf({ botSlug: "risk.killswitch" });
  expect(values).toMatchObject([{ paramName: "armed", decisionId: answer.decisionId }]);
});

test("it pages at once, once, without the values and the reason", async () => {
  const own = { ...p0("paged"), breakGlassReason, writeId: "paged" };
  const { decisionId } = await oncall.checkWrite(own);
  await oncall.checkWrite(own);
  await oncall.checkWrite({ ...own, dryRun: true });
  const told = log.withReason().filter((one) => one.decisionId === decisionId);
  expect(told).toMatchObject([
    { level: "warn", reasonCode: "BREAK_GLASS_USED", page: true, recordedBy: "oncall" },
    { level: "warn", reasonCode: "P0_PARAMETER_CHANGED", page: true },
  ]);
  expect(log.text()).not.toContain(breakGlassReason);
});

test("it is open until somebody else reviews it, and the first review stands", async () => {
  const { decisionId } = await oncall.checkWrite({ ...p0("reviewed"), breakGlassReason });
  expect(await open()).toContain("reviewed");
  const operator = await auditorAs(service, "operator", { subject: "olga" });
  const first = await operator.reviewBreakGlass({ decisionId, comment: "as it had to be" });
  expect(first.review).toMatchObject({ reviewedBy: "olga", comment: "as it had to be" });
  const second = await compliance.reviewBreakGlass({ decisionId, comment: "not so" });
  expect(second.review).toEqual(first.review);
  expect(await open()).not.toContain("reviewed");
  const { uses } = await operator.listBreakGlass({ reviewedToo: true });
  const use = uses.find(({ change }) => change?.report?.decisionId === decisionId);
  expect(use).toMatchObject({ change: { breakGlassReason }, review: { reviewedBy: "olga" } });
});

test("whoever used it, and the editor, cannot review it themselves", async () => {
  const { decisionId } = await oncall.checkWrite({ ...p0("own"), breakGlassReason });
  for (const subject of ["oncall", "alice@polytraders"]) {
    const self = await auditorAs(service, "operator", { subject });
    const refusal = await refusalOf(self.reviewBreakGlass({ decisionId, comment: "fine" }));
    expect(refusal).toMatchObject({ reason: "INVALID_FIELD", field: "decision_id" });
  }
  expect(await open()).toContain("own");
});

test("what is no use of break-glass cannot be reviewed", async () => {
  const { decisionId } = await configStore.checkWrite(p0("usual"));
  for (const id of [decisionId, "0".repeat(26)]) {
    const refusal = await refusalOf(compliance.reviewBreakGlass({ decisionId: id, comment: "fine" }));
    expect(refusal).toMatchObject({ reason: "NOT_FOUND" });
  }
});

test("pages of the list follow each other", async () => {
  for (const name of ["page 1", "page 2", "page 3"]) {
    await oncall.checkWrite({ ...p0(name), breakGlassReason });
  }
  const names: string[] = [];
  for (let pageToken = ""; names.length < 3; ) {
    const { uses, nextPageToken } = await compliance.listBreakGlass({ pageSize: 1, pageToken });
    names.push(...uses.map(({ change }) => change?.report?.paramName ?? ""));
    pageToken = nextPageToken;
  }
  expect(names).toEqual(["page 3", "page 2", "page 1"]);
});

test("the role without a reason is refused by the field, a blank one too", async () => {
  for (const reason of ["", " \t"]) {
    const refusal = await refusalOf(oncall.checkWrite({ ...p0("silent"), breakGlassReason: reason }));
    expect(refusal).toMatchObject({ reason: "INVALID_FIELD", field: "break_glass_reason" });
  }
});

test("a reason without the role is refused by the field", async () => {
  const refusal = await refusalOf(configStore.checkWrite({ ...p0("pushy"), breakGlassReason }));
  expect(refusal).toMatchObject({ reason: "INVALID_FIELD", field: "break_glass_reason" });
});

test("a token with another role of the gate writes as usual when it gives no reason", async () => {
  const token = await service.token({ roles: ["operator", "break-glass"], subject: "both" });
  const both = service.client(ParameterChangeAuditorService, token);
  expect(await both.checkWrite(p0("both"))).toMatchObject({ allowed: false });
  expect(await both.checkWrite({ ...p0("both"), breakGlassReason })).toMatchObject({ allowed: true });
});

test("under a write_id that was decided without break-glass it is a conflict, not the old verdict", async () => {
  const token = await service.token({ roles: ["operator", "break-glass"], subject: "again" });
  const caller = service.client(ParameterChangeAuditorService, token);
  const own = { ...p0("again"), writeId: "again" };
  expect(await caller.checkWrite(own)).toMatchObject({ allowed: false });
  expect(await refusalOf(caller.checkWrite({ ...own, breakGlassReason }))).toMatchObject({
    reason: "WRITE_ID_CONFLICT",
  });
});

test("a token with the role is bounded in time, whatever else it may do", async () => {
  for (const [ttlSeconds, isGood] of [
    [3600, true],
    [3601, false],
  ] as const) {
    const token = await service.token({ roles: ["bot", "break-glass"], ttlSeconds });
    const call = service.client(ParameterChangeAuditorService, token).checkWrite(write("bounded"));
    if (isGood) expect(await call).toMatchObject({ allowed: true });
    else expect(await refusalOf(call)).toMatchObject({ code: "Unauthenticated", reason: "TOKEN_INVALID" });
  }
});

test("the bound can be set", async () => {
  const env = { GOVERNANCE_BREAK_GLASS_MAX_MINUTES: "5" };
  await using strict = await startTestService({ env });
  const token = await strict.token({ roles: ["break-glass"], ttlSeconds: 301 });
  const call = strict.client(ParameterChangeAuditorService, token).checkWrite(write("x"));
  expect((await refusalOf(call)).message).toMatch(/must be good for 5 minutes at most/);
});

test("reviews are never changed or taken back", async () => {
  for (const statement of [
    "update auditor.break_glass_review set comment = ''",
    "delete from auditor.break_glass_review",
    "truncate auditor.break_glass_review",
  ]) {
    await expect(service.database.query("superuser", statement), statement).rejects.toThrow(/append/);
  }
});
