import { afterAll, beforeAll, expect, test } from "vitest";
import {
  Durability,
  WriteOutcome,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { enforce, type WriteInit, write } from "./writes.ts";

const running = new AsyncDisposableStack();
let database: TestDatabase;
let proxy: DatabaseProxy;
let service: TestService;
let configStore: AuditorClient;
let compliance: AuditorClient;
beforeAll(async () => {
  database = running.use(await createTestDatabase());
  proxy = running.use(await startDatabaseProxy());
  const env = { DATABASE_URL: proxy.through(database.url("service")) };
  service = running.use(await startTestService({ database, env, config: enforce }));
  configStore = await auditorAs(service, "config-store");
  compliance = await auditorAs(service, "compliance");
});
afterAll(() => running.disposeAsync());

const { APPLIED, ABORTED } = WriteOutcome;

async function allowed(paramName: string, more: Partial<WriteInit> = {}): Promise<string> {
  const answer = await configStore.checkWrite(write(paramName, { newValueJson: "1", ...more }));
  expect(answer.allowed).toBe(true);
  return answer.decisionId;
}

async function unconfirmed(paramName: string): Promise<(string | undefined)[]> {
  const { changes } = await compliance.listParameterChanges({ paramName, unconfirmed: true });
  return changes.map(({ report }) => report?.decisionId);
}

test.each([
  ["applied", APPLIED, "APPLIED"],
  ["aborted", ABORTED, "ABORTED"],
])("a write that was %s is confirmed as that, durably", async (_, outcome, word) => {
  const decisionId = await allowed("p");
  expect(await configStore.confirmWrite({ decisionId, outcome })).toMatchObject({
    outcome,
    durability: Durability.DURABLE,
  });
  const rows = await database.query(
    "superuser",
    "select outcome, confirmed_by from auditor.confirmation where decision_id = $1",
    [decisionId],
  );
  expect(rows).toEqual([{ outcome: word, confirmed_by: "tester" }]);
});

test("the first outcome stands: a second one is answered with it and changes nothing", async () => {
  const decisionId = await allowed("first");
  await configStore.confirmWrite({ decisionId, outcome: ABORTED });
  for (const outcome of [APPLIED, ABORTED]) {
    expect(await configStore.confirmWrite({ decisionId, outcome })).toMatchObject({ outcome: ABORTED });
  }
});

test("of twenty that confirm differently at the same moment on two replicas one wins, and all are told the same", async () => {
  const env = { GOVERNANCE_SCRUB_KEY_FILE: `${service.dataDir}/scrub.key` };
  await using other = await startTestService({ database, env });
  const stores = [configStore, await auditorAs(other, "operator")];
  const decisionId = await allowed("race");
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      stores[i % 2]?.confirmWrite({ decisionId, outcome: i % 4 < 2 ? APPLIED : ABORTED }),
    ),
  );
  expect(new Set(answers.map((answer) => answer?.outcome)).size).toBe(1);
});

test("whoever may confirm confirms for the one who asked", async () => {
  const bot = await auditorAs(service, "bot", { subject: "bot-7" });
  const { decisionId } = await bot.checkWrite(write("others"));
  expect(await configStore.confirmWrite({ decisionId, outcome: APPLIED })).toMatchObject({
    outcome: APPLIED,
  });
});

test("a decision that is not on record is not found", async () => {
  const refusal = await refusalOf(
    configStore.confirmWrite({ decisionId: "01M7YP4TE9FJ5R47J698GNCE4F", outcome: APPLIED }),
  );
  expect(refusal).toMatchObject({ code: "NotFound", reason: "NOT_FOUND" });
});

test("a write that was rejected has nothing to confirm", async () => {
  const p0 = write("armed", { botSlug: "risk.killswitch", newValueJson: "true" });
  const { decisionId } = await configStore.checkWrite(p0);
  const refusal = await refusalOf(configStore.confirmWrite({ decisionId, outcome: APPLIED }));
  expect(refusal).toMatchObject({ reason: "INVALID_FIELD", field: "decision_id" });
  expect(refusal.message).toContain("RecordUngatedWrite");
});

test("writes that nobody confirmed are listed, newest first, and no others", async () => {
  const ids = [];
  for (let i = 0; i < 4; i++) ids.push(await allowed("listed"));
  const [first = "", second = "", third = "", fourth = ""] = ids;
  await configStore.confirmWrite({ decisionId: second, outcome: APPLIED });
  await configStore.confirmWrite({ decisionId: third, outcome: ABORTED });
  await configStore.checkWrite(write("listed", { botSlug: "gov.x" })); // rejected
  expect(await unconfirmed("listed")).toEqual([fourth, first]);
});

test("many confirmations at once are all recorded, each its own", async () => {
  const ids = await Promise.all(Array.from({ length: 200 }, (_, i) => allowed(`many_${i}`)));
  const answers = await Promise.all(
    ids.map((decisionId, i) => configStore.confirmWrite({ decisionId, outcome: i % 2 ? APPLIED : ABORTED })),
  );
  expect(answers.map(({ outcome }) => outcome)).toEqual(ids.map((_, i) => (i % 2 ? APPLIED : ABORTED)));
});

test("confirmations have their places in the log, without a gap", async () => {
  const decisionId = await allowed("placed");
  await configStore.confirmWrite({ decisionId, outcome: APPLIED });
  await compliance.getConfigAsOf({ botSlug: "strategy.sports" });
  const [row] = await database.query<{ placed: boolean; gap_free: boolean }>(
    "superuser",
    `select exists (select from auditor.confirmation w join log.entry e using (epoch, xid, ord)
                    where e.source = 'w' and w.decision_id = $1) as placed,
            (select count(*) = max(position) from log.entry) as gap_free`,
    [decisionId],
  );
  expect(row).toEqual({ placed: true, gap_free: true });
});

test("without the database a confirmation is buffered, and recorded when it is back", async () => {
  const decisionId = await allowed("outage");
  proxy.cut();
  const startedMs = performance.now();
  const answer = await configStore.confirmWrite({ decisionId, outcome: APPLIED });
  expect(answer).toMatchObject({ outcome: APPLIED, durability: Durability.BUFFERED });
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  proxy.mend();
  const onRecord = () =>
    database.query("superuser", "select outcome from auditor.confirmation where decision_id = $1", [
      decisionId,
    ]);
  await expect.poll(onRecord, { timeout: 10_000 }).toEqual([{ outcome: "APPLIED" }]);
});

test("a confirmation counts as made no earlier than its decision's month ended, so that it never goes first", async () => {
  const decisionId = await allowed("kept");
  await configStore.confirmWrite({ decisionId, outcome: ABORTED });
  const rows = await database.query(
    "superuser",
    `select kept_as_of = greatest(confirmed_at,
              (date_trunc('month', decided_at at time zone 'UTC') + interval '1 month') at time zone 'UTC') as kept,
            tableoid::regclass::text = 'auditor.confirmation' || to_char(decided_at at time zone 'UTC', '_YYYY_MM') as together
     from auditor.confirmation where decision_id = $1`,
    [decisionId],
  );
  expect(rows).toEqual([{ kept: true, together: true }]);
});
