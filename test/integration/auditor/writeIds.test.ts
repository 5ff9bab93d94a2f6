import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  Durability,
  Mode,
  Verdict,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs, ledgerAs } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { asRefusal, refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { enforce, type WriteInit, write } from "./writes.ts";

let database: TestDatabase;
let env: NodeJS.ProcessEnv;
let service: TestService;
let configStore: AuditorClient;
const running = new AsyncDisposableStack();
beforeAll(async () => {
  database = running.use(await createTestDatabase());
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-keys-")));
  env = { GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key") };
  service = running.use(await startTestService({ database, env, config: enforce }));
  configStore = await auditorAs(service, "config-store");
});
afterAll(() => running.disposeAsync());

async function recorded(writeId: string): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    "superuser",
    "select count(*)::int as n from auditor.parameter_change where write_id = $1",
    [writeId],
  );
  return row?.n ?? -1;
}

const first = write("cap", {
  writeId: "w1",
  oldValueJson: '{"a":1.0,"b":[1,2]}',
  newValueJson: '{"a":2,"b":[1,2]}',
  ticketRef: "PTRD-1",
  environment: "production",
  traceId: "trc",
  changedAt: { seconds: 1_778_320_800n, nanos: 5 },
});

test.each<[string, Partial<WriteInit>]>([
  ["word for word", {}],
  [
    "with members in another order and numbers spelt differently",
    { oldValueJson: '{"b":[1.0,2e0],"a":1}', newValueJson: '{ "b": [1, 2], "a": 2.0 }' },
  ],
  ["with its names spelt differently", { botSlug: "Strategy.Sports", paramName: "C-a_p" }],
])("a retry with the same write_id %s gets the recorded answer", async (_, difference) => {
  const original = await configStore.checkWrite(first);
  const again = await configStore.checkWrite({ ...first, ...difference });
  expect(again).toMatchObject({
    replayed: true,
    durability: Durability.DURABLE,
    decisionId: original.decisionId,
    policyVersion: original.policyVersion,
    verdict: original.verdict,
    allowed: original.allowed,
    diff: original.diff,
    report: {
      reportId: original.report?.reportId,
      changedAt: original.report?.changedAt,
      oldValueJson: first.oldValueJson,
    },
  });
  expect(await recorded("w1")).toBe(1);
});

test.each<[string, Partial<WriteInit>]>([
  ["another bot", { botSlug: "strategy.nba" }],
  ["another parameter", { paramName: "cap2" }],
  ["another old value", { oldValueJson: '{"a":1.0,"b":[2,1]}' }],
  ["no old value", { oldValueJson: undefined }],
  ["another new value", { newValueJson: '{"a":2.00000000000000000001,"b":[1,2]}' }],
  ["null for a new value", { newValueJson: "null" }],
  ["another editor", { editorId: "bob@polytraders" }],
  ["another ticket", { ticketRef: "PTRD-2" }],
  ["no ticket", { ticketRef: undefined }],
  ["another environment", { environment: "staging" }],
  ["another trace", { traceId: "trc2" }],
  ["another time", { changedAt: { seconds: 1_778_320_800n, nanos: 6 } }],
])("the same write_id with %s is refused and records nothing", async (what, difference) => {
  const writeId = `conflict: ${what}`;
  const original = await configStore.checkWrite({ ...first, writeId });
  expect(await refusalOf(configStore.checkWrite({ ...first, writeId, ...difference }))).toMatchObject({
    code: "AlreadyExists",
    reason: "WRITE_ID_CONFLICT",
  });
  expect(await recorded(writeId)).toBe(1);
  expect((await configStore.checkWrite({ ...first, writeId })).decisionId).toBe(original.decisionId);
});

test("a write_id belongs to its token's subject", async () => {
  const other = await auditorAs(service, "config-store", { subject: "another store" });
  const mine = await configStore.checkWrite(write("scoped", { writeId: "scoped" }));
  const theirs = await other.checkWrite(write("scoped", { writeId: "scoped", newValueJson: "1" }));
  expect(theirs.replayed).toBe(false);
  expect(theirs.decisionId).not.toBe(mine.decisionId);
  expect(await recorded("scoped")).toBe(2);
});

test("without a write_id every call is a write of its own, no-ops too (R10)", async () => {
  const noOp = write("no-op", { oldValueJson: "1", newValueJson: "1.0" });
  const answers = [await configStore.checkWrite(noOp), await configStore.checkWrite(noOp)];
  expect(new Set(answers.map((answer) => answer.decisionId)).size).toBe(2);
  for (const answer of answers) expect(answer).toMatchObject({ replayed: false, diff: [], allowed: true });
});

test("calls with one write_id at the same moment, on two replicas, are one write", async () => {
  await using second = await startTestService({ database, env, config: enforce });
  const stores = [configStore, await auditorAs(second, "config-store")];
  for (let round = 0; round < 10; round++) {
    const writeId = `race_${round}`;
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        stores[i % 2]?.checkWrite(write("race", { writeId, newValueJson: "1" })),
      ),
    );
    expect(answers.filter((answer) => answer?.replayed === false)).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer?.decisionId)).size).toBe(1);
    expect(await recorded(writeId)).toBe(1);
  }
});

test("of different contents under one write_id one is recorded and the others are refused", async () => {
  await using second = await startTestService({ database, env, config: enforce });
  const stores = [configStore, await auditorAs(second, "config-store")];
  const outcomes = await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      stores[i % 2]?.checkWrite(write("race", { writeId: "contents", newValueJson: String(i) })).then(
        () => "recorded",
        (cause: unknown) => asRefusal(cause).reason,
      ),
    ),
  );
  expect(outcomes.filter((outcome) => outcome === "recorded")).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome === "WRITE_ID_CONFLICT")).toHaveLength(11);
  expect(await recorded("contents")).toBe(1);
});

describe("after the policy changed", () => {
  const p0 = write("armed", { botSlug: "risk.killswitch", writeId: "policy", newValueJson: "1" });

  test("a retry still gets the verdict that was recorded", async () => {
    const original = await configStore.checkWrite(p0);
    expect(original).toMatchObject({
      allowed: false,
      verdict: Verdict.REJECT,
      mode: Mode.ENFORCE,
      paramTier: "P0",
    });
    await using lenient = await startTestService({ database, env, config: 'tiers: { "*": P3 }' });
    const store = await auditorAs(lenient, "config-store");
    expect(await store.checkWrite(p0)).toMatchObject({
      replayed: true,
      allowed: false,
      verdict: Verdict.REJECT,
      mode: Mode.ENFORCE,
      paramTier: "P0",
      reasonCode: "AUDIT_TICKET_REQUIRED",
      policyVersion: original.policyVersion,
      decisionId: original.decisionId,
    });
    const fresh = await store.checkWrite({ ...p0, writeId: "policy, later" });
    expect(fresh).toMatchObject({ replayed: false, allowed: true, verdict: Verdict.ALLOW, paramTier: "P3" });
    expect(fresh.policyVersion).not.toBe(original.policyVersion);
  });
});

test("a write_id stays taken after its record was purged, and answers with the decision's id", async () => {
  const purged = write("purged", { writeId: "purged" });
  const original = await configStore.checkWrite(purged);
  await database.query(
    "superuser",
    `set role governance_owner; set governance.maintenance = 'on';
     delete from auditor.parameter_change where write_id = 'purged'`,
  );
  const again = await configStore.checkWrite(purged);
  expect(again).toMatchObject({ replayed: true, allowed: true, decisionId: original.decisionId });
  const changed = await refusalOf(configStore.checkWrite({ ...purged, newValueJson: "1" }));
  expect(changed.reason).toBe("WRITE_ID_CONFLICT");
  expect(await recorded("purged")).toBe(0);
});

test("a retry is answered in time although nothing can be read: readers never hold up the gate", async () => {
  const original = await configStore.checkWrite(write("busy", { writeId: "busy" }));
  const compliance = await ledgerAs(service, "compliance");
  const locker = new pg.Client({ connectionString: database.url("superuser") });
  await locker.connect();
  await locker.query("begin");
  await locker.query("lock table access.read_log, ledger.user_action in access exclusive mode");
  const lists = Array.from({ length: 12 }, () => compliance.listUserActions({}).catch(asRefusal));
  await locker.query("lock table log.entry in access exclusive mode");
  const startedMs = performance.now();
  const again = await configStore.checkWrite(write("busy", { writeId: "busy" }));
  const tookMs = performance.now() - startedMs;
  await locker.query("rollback");
  await locker.end();
  await Promise.all(lists);
  expect(again).toMatchObject({ replayed: true, decisionId: original.decisionId, verdict: original.verdict });
  expect(tookMs).toBeLessThan(500);
});
