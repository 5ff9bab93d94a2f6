import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  Durability,
  type RecordUngatedWriteRequestSchema,
  Verdict,
  WriteOutcome,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs } from "../../support/callers.ts";
import { readExport } from "../../support/exportReader.ts";
import { metricValue } from "../../support/metrics.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { enforce, write } from "./writes.ts";

type UngatedInit = Extract<MessageInitShape<typeof RecordUngatedWriteRequestSchema>, { $typeName?: never }>;

let service: TestService;
let configStore: AuditorClient;
let compliance: AuditorClient;
beforeAll(async () => {
  service = await startTestService({ config: enforce });
  configStore = await auditorAs(service, "config-store");
  compliance = await auditorAs(service, "compliance");
});
afterAll(() => service[Symbol.asyncDispose]());

const changedAt = { seconds: 1_778_320_800n, nanos: 5 };
const armed = { botSlug: "risk.killswitch", oldValueJson: "true", newValueJson: "false" };

function ungated(writeId: string, more: Partial<UngatedInit> = {}): UngatedInit {
  const base = { botSlug: "strategy.sports", paramName: writeId, editorId: "alice@polytraders" };
  return { ...base, writeId, changedAt, cause: "UNAVAILABLE", ...more };
}

async function inForce(botSlug: string, paramName: string): Promise<string | undefined> {
  const { values } = await compliance.getConfigAsOf({ botSlug });
  return values.find((value) => value.paramName === paramName)?.valueJson;
}

async function records(writeId: string): Promise<number> {
  const rows = await service.database.query(
    "superuser",
    "select record_id from auditor.parameter_change where write_id = $1",
    [writeId],
  );
  return rows.length;
}

test("a write without a verdict is recorded as that, with what the policy says of it, and is in force", async () => {
  const answer = await configStore.recordUngatedWrite(ungated("armed", { ...armed, paramName: "armed" }));
  expect(answer).toMatchObject({
    durability: Durability.DURABLE,
    replayed: false,
    report: { eventType: "UNGATED_WRITE", verdict: "REJECT", paramTier: "P0", newValueJson: "false" },
  });
  expect(answer.report?.claimedChangedAt).toMatchObject(changedAt);
  const { changes } = await compliance.listParameterChanges({ botSlug: "risk.killswitch" });
  expect(changes).toMatchObject([
    { allowed: true, reasonCode: "UNGATED_WRITE", ungatedCause: "UNAVAILABLE", writeId: "armed" },
  ]);
  const { lines } = await readExport(compliance.exportParameterChanges({ botSlug: "risk.killswitch" }));
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { event_type: "UNGATED_WRITE", allowed: true, verdict: "REJECT", ungated_cause: "UNAVAILABLE" },
  ]);
  expect(await inForce("risk.killswitch", "armed")).toBe("false");
});

test("sent again it is recorded once, also twenty times at the same moment", async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => configStore.recordUngatedWrite(ungated("once"))),
  );
  expect(new Set(answers.map(({ decisionId }) => decisionId)).size).toBe(1);
  expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
  expect(await records("once")).toBe(1);
});

test.each<[string, Partial<UngatedInit>]>([
  ["another value", { newValueJson: "2" }],
  ["another editor", { editorId: "bob" }],
  ["another time", { changedAt: { seconds: 1n, nanos: 0 } }],
])("sent again with %s it is a conflict", async (what, difference) => {
  await configStore.recordUngatedWrite(ungated(`conflict: ${what}`, { newValueJson: "1", paramName: "c" }));
  const again = ungated(`conflict: ${what}`, { newValueJson: "1", paramName: "c", ...difference });
  expect(await refusalOf(configStore.recordUngatedWrite(again))).toMatchObject({
    code: "AlreadyExists",
    reason: "WRITE_ID_CONFLICT",
  });
  expect(await records(`conflict: ${what}`)).toBe(1);
});

test.each([
  ["without a time of its own", undefined],
  ["with the same time", changedAt],
])("it folds into the decision whose answer was lost, asked for %s", async (what, claimed) => {
  const writeId = `lost ${what}`;
  const decided = await configStore.checkWrite(
    write("lost", { writeId, newValueJson: "1", ...(claimed === undefined ? {} : { changedAt: claimed }) }),
  );
  const delivered = ungated(writeId, { paramName: "lost", newValueJson: "1.0" });
  for (let i = 0; i < 2; i++) {
    expect(await configStore.recordUngatedWrite(delivered)).toMatchObject({
      replayed: true,
      decisionId: decided.decisionId,
      report: { eventType: "PARAM_CHANGED", newValueJson: "1" },
    });
  }
  expect(await records(writeId)).toBe(1);
});

test("under the write_id of another decision it is a conflict, at another time too", async () => {
  await configStore.checkWrite(write("taken", { writeId: "taken", newValueJson: "1", changedAt }));
  const other = [{ newValueJson: "2" }, { newValueJson: "1", changedAt: { seconds: 1n, nanos: 0 } }];
  for (const difference of other) {
    const refusal = await refusalOf(configStore.recordUngatedWrite(ungated("taken", difference)));
    expect(refusal.reason).toBe("WRITE_ID_CONFLICT");
  }
});

test("a write that was rejected and made all the same is on record twice: as rejected, and as made", async () => {
  const own = { ...armed, paramName: "unheard", writeId: "unheard" };
  const rejected = await configStore.checkWrite(write("unheard", own));
  expect(rejected.allowed).toBe(false);
  const [made, again] = [
    await configStore.recordUngatedWrite(ungated("unheard", own)),
    await configStore.recordUngatedWrite(ungated("unheard", own)),
  ];
  expect(made).toMatchObject({ replayed: false, report: { eventType: "UNGATED_WRITE" } });
  expect(again).toMatchObject({ replayed: true, decisionId: made.decisionId });
  expect(await records("unheard")).toBe(2);
  expect(await inForce("risk.killswitch", "unheard")).toBe("false");
  const refusal = await refusalOf(
    configStore.recordUngatedWrite(ungated("unheard", { ...own, newValueJson: "0" })),
  );
  expect(refusal.reason).toBe("WRITE_ID_CONFLICT");
  expect(
    await configStore.checkWrite(write("unheard", own)),
    "who asks again hears the verdict",
  ).toMatchObject({
    replayed: true,
    allowed: false,
    decisionId: rejected.decisionId,
  });
});

test("its write_id belongs to the token's subject", async () => {
  const other = await auditorAs(service, "bot", { subject: "another" });
  const mine = await configStore.recordUngatedWrite(ungated("scoped", { newValueJson: "1" }));
  const theirs = await other.recordUngatedWrite(ungated("scoped", { newValueJson: "2" }));
  expect(theirs).toMatchObject({ replayed: false });
  expect(theirs.decisionId).not.toBe(mine.decisionId);
});

test("ungated writes are listed, apart from the others, and need no confirmation", async () => {
  const paramName = "apart";
  await configStore.checkWrite(write(paramName));
  const { decisionId } = await configStore.recordUngatedWrite(ungated("apart", { paramName }));
  const waiting = await configStore.checkWrite(write(paramName));
  const ids = async (filter: { ungated: boolean } | { unconfirmed: boolean }) =>
    (await compliance.listParameterChanges({ paramName, ...filter })).changes.map(
      (c) => c.report?.decisionId,
    );
  expect(await ids({ ungated: true })).toEqual([decisionId]);
  expect(await ids({ unconfirmed: true })).toHaveLength(2);
  expect((await ids({ unconfirmed: true }))[0]).toBe(waiting.decisionId);
});

test("one that turns out not to have been made can be told as aborted", async () => {
  const { decisionId } = await configStore.recordUngatedWrite(ungated("undone", { newValueJson: "1" }));
  expect(await inForce("strategy.sports", "undone")).toBe("1");
  await configStore.confirmWrite({ decisionId, outcome: WriteOutcome.ABORTED });
  expect(await inForce("strategy.sports", "undone")).toBeUndefined();
});

test("each is counted once by tier, as a change, and never as a rejection", async () => {
  const counts = async () => [
    await metricValue(
      service,
      'polytraders_gov_parameterchangeauditor_ungated_writes_total{param_tier="P0"}',
    ),
    await metricValue(
      service,
      'polytraders_gov_parameterchangeauditor_changes_total{bot_slug="risk.killswitch",param_tier="P0"}',
    ),
    await metricValue(
      service,
      'polytraders_gov_parameterchangeauditor_rejections_total{reason="UNGATED_WRITE"}',
    ),
  ];
  const [ungatedBefore = 0, changesBefore = 0] = await counts();
  const own = ungated("counted", { ...armed, paramName: "counted" });
  for (let i = 0; i < 2; i++) await configStore.recordUngatedWrite(own);
  expect(await counts()).toEqual([ungatedBefore + 1, changesBefore + 1, undefined]);
  const { changes } = await compliance.listParameterChanges({
    paramName: "counted",
    verdict: Verdict.REJECT,
  });
  expect(changes).toHaveLength(1);
});
