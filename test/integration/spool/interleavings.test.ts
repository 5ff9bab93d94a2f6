import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Durability } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { auditorAs, ledgerAs } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import { asRefusal } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";
import { drained } from "./spooling.ts";

type Replica = { readonly service: TestService; readonly proxy: DatabaseProxy };

let database: TestDatabase;
let replicas: { readonly A: Replica; readonly B: Replica };
const running = new AsyncDisposableStack();
beforeAll(async () => {
  database = running.use(await createTestDatabase());
  const start = async (env: NodeJS.ProcessEnv): Promise<Replica> => {
    const proxy = running.use(await startDatabaseProxy());
    const through = { DATABASE_URL: proxy.through(database.url("service")), ...env };
    return { proxy, service: running.use(await startTestService({ database, env: through })) };
  };
  const A = await start({});
  replicas = { A, B: await start({ GOVERNANCE_SCRUB_KEY_FILE: `${A.service.dataDir}/scrub.key` }) };
});
afterAll(async () => {
  for (const { proxy } of Object.values(replicas)) {
    proxy.mend();
    proxy.thaw();
  }
  await running.disposeAsync();
});

type Name = keyof typeof replicas;
/** What becomes of a replica's record: committed, spooled, committed and spooled as the answer was lost; or drained. */
type Step = readonly [Name, "commits" | "spools" | "loses the answer" | "drains"];

const interleavings: readonly (readonly Step[])[] = [
  [
    ["A", "commits"],
    ["B", "spools"],
    ["B", "drains"],
  ],
  [
    ["A", "spools"],
    ["B", "commits"],
    ["A", "drains"],
  ],
  [
    ["A", "spools"],
    ["B", "spools"],
    ["A", "drains"],
    ["B", "drains"],
  ],
  [
    ["A", "spools"],
    ["B", "spools"],
    ["B", "drains"],
    ["A", "drains"],
  ],
  [
    ["A", "spools"],
    ["A", "drains"],
    ["B", "commits"],
  ],
  [
    ["A", "spools"],
    ["A", "drains"],
    ["B", "spools"],
    ["B", "drains"],
  ],
  [
    ["A", "loses the answer"],
    ["A", "drains"],
    ["B", "commits"],
  ],
  [
    ["A", "loses the answer"],
    ["B", "commits"],
    ["A", "drains"],
  ],
  [
    ["A", "loses the answer"],
    ["B", "spools"],
    ["A", "drains"],
    ["B", "drains"],
  ],
  [
    ["A", "loses the answer"],
    ["B", "spools"],
    ["B", "drains"],
    ["A", "drains"],
  ],
];

/** Takes the steps, with `send` for a replica's record. */
async function play<T>(
  steps: readonly Step[],
  send: (replica: Replica, name: Name) => Promise<T>,
): Promise<Map<Name, T>> {
  const answers = new Map<Name, T>();
  for (const [name, what] of steps) {
    const replica = replicas[name];
    const { proxy, service } = replica;
    if (what === "drains") {
      proxy.mend();
      proxy.thaw();
      await drained(service);
      continue;
    }
    if (what === "spools") proxy.cut();
    if (what === "loses the answer") proxy.deafen();
    answers.set(name, await send(replica, name));
    if (what === "loses the answer") proxy.cut(); // What is on its way is lost for good.
  }
  for (const { proxy, service } of Object.values(replicas)) {
    proxy.mend();
    proxy.thaw();
    await drained(service);
  }
  return answers;
}

const told = (steps: readonly Step[]) => steps.map((step) => step.join(" ")).join(", ");

describe.each(interleavings.map((steps) => ({ steps, name: told(steps) })))("$name", ({ steps, name }) => {
  test.each(["the same", "other"])(
    "an action with %s content is on record once, and nothing acked vanishes",
    async (content) => {
      const eventId = `${name}: ${content}`;
      const answers = await play(steps, async ({ service }, replica) => {
        const bot = await ledgerAs(service, "bot");
        const actionType = content === "other" && replica === "B" ? "OVERRIDE" : "HALT";
        const action = { eventId, wallet: `0x${"1".repeat(40)}`, sessionId: "s", actionType };
        return bot.recordUserAction(action).catch(asRefusal);
      });
      const rows = await database.query<{ record_id: string; action_type: string }>(
        "superuser",
        "select record_id, action_type from ledger.user_action where event_id = $1",
        [eventId],
      );
      expect(rows).toHaveLength(1);
      const conflicts = await database.query<{ action_type: string }>(
        "superuser",
        "select action_type from ledger.conflict where event_id = $1",
        [eventId],
      );
      const types = [...rows, ...conflicts].map(({ action_type }) => action_type).toSorted();
      expect(types).toEqual(content === "other" ? ["HALT", "OVERRIDE"] : ["HALT"]);
      for (const answer of answers.values()) {
        if (!("outcome" in answer)) {
          expect(answer).toMatchObject({ reason: "EVENT_ID_CONFLICT" });
          continue;
        }
        const id = answer.report?.reportId.slice(-26) ?? "";
        if (answer.outcome !== RecordOutcome.BUFFERED) expect(id).toBe(rows[0]?.record_id);
        else if (id !== rows[0]?.record_id) await expectSettled(id, rows[0]?.record_id, content);
      }
    },
  );

  test.each(["the same", "other"])(
    "a write with %s content is on record, and nothing acked vanishes",
    async (content) => {
      const writeId = `${name}: ${content}`;
      const answers = await play(steps, async ({ service }, replica) => {
        const store = await auditorAs(service, "config-store");
        const newValueJson = content === "other" && replica === "B" ? "2" : "1";
        return store
          .checkWrite(write("size", { botSlug: `b.${writeId}`.slice(0, 120), writeId, newValueJson }))
          .catch(asRefusal);
      });
      const [key] = await database.query<{ record_id: string }>(
        "superuser",
        "select record_id from auditor.write_key where write_id = $1",
        [writeId],
      );
      const rows = await database.query<{ record_id: string }>(
        "superuser",
        "select record_id from auditor.parameter_change where write_id = $1",
        [writeId],
      );
      expect(rows).toEqual([{ record_id: key?.record_id }]);
      for (const answer of answers.values()) {
        if (!("durability" in answer)) {
          expect(answer).toMatchObject({ reason: "WRITE_ID_CONFLICT" });
          continue;
        }
        expect(answer.durability).not.toBe(Durability.NOT_RECORDED);
        if (answer.decisionId === key?.record_id) continue;
        expect(answer.durability).toBe(Durability.BUFFERED);
        await expectSettled(answer.decisionId, key?.record_id, content);
        const kept = await database.query(
          "superuser",
          "select record_id from auditor.parameter_change where record_id = $1",
          [answer.decisionId],
        );
        expect(kept).toHaveLength(content === "other" ? 1 : 0);
      }
    },
  );
});

async function expectSettled(recordId: string, first: string | undefined, content: string): Promise<void> {
  const rows = await database.query(
    "superuser",
    "select became, first_record_id from log.settled where record_id = $1",
    [recordId],
  );
  expect(rows).toEqual([{ became: content === "other" ? "CONFLICT" : "FOLDED", first_record_id: first }]);
}
