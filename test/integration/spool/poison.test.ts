import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { ledgerAs } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import { startTestService } from "../../support/service.ts";
import { action } from "../ledger/actions.ts";
import { drained, poison, refusedIn } from "./spooling.ts";

const running = new AsyncDisposableStack();
let database: TestDatabase;
let proxy: DatabaseProxy;
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  database = running.use(await createTestDatabase());
  proxy = running.use(await startDatabaseProxy());
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-poison-")));
  env = {
    DATABASE_URL: proxy.through(database.url("service")),
    GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key"),
    GOVERNANCE_DATA_DIR: join(folder.path, "data"),
  };
  await poison(database, "poison");
});
afterAll(() => running.disposeAsync());

async function recorded(like: string): Promise<string[]> {
  const rows = await database.query<{ event_id: string }>(
    "superuser",
    "select event_id from ledger.user_action where event_id like $1 order by epoch, xid, ord",
    [like],
  );
  return rows.map(({ event_id }) => event_id);
}

test("a record that the database refuses takes none of its neighbours with it", async () => {
  await using service = await startTestService({ database, env });
  const bot = await ledgerAs(service, "bot");
  const ids = ["direct_0", "direct_1", "poison", "direct_2", "direct_3"];
  const answers = await Promise.allSettled(ids.map((eventId) => bot.recordUserAction(action(eventId))));
  expect(answers.map(({ status }) => status === "fulfilled")).toEqual([true, true, false, true, true]);
  expect((await recorded("direct%")).toSorted()).toEqual(["direct_0", "direct_1", "direct_2", "direct_3"]);
  expect(await recorded("poison")).toEqual([]);
});

test("from the spool its neighbours drain in their order, it stays, and the report counts it", async () => {
  {
    await using service = await startTestService({ database, env });
    const bot = await ledgerAs(service, "bot");
    await bot.recordUserAction(action("first"));
    proxy.cut();
    const ids = ["spooled_0", "spooled_1", "poison", "spooled_2", "spooled_3"];
    for (const eventId of ids) {
      expect((await bot.recordUserAction(action(eventId))).outcome).toBe(RecordOutcome.BUFFERED);
    }
    proxy.mend();
    await drained(service);
    expect(await recorded("spooled%")).toEqual(["spooled_0", "spooled_1", "spooled_2", "spooled_3"]);
    expect(await recorded("poison")).toEqual([]);
    expect(refusedIn(service.dataDir)).toBe(1);
    await expect
      .poll(() =>
        database.query(
          "superuser",
          "select buffered::int, flushed::int, refused::int, lost::int from log.recovery",
        ),
      )
      .toEqual([{ buffered: 5, flushed: 4, refused: 1, lost: 0 }]);
    // Its session goes on.
    expect((await bot.recordUserAction(action("after"))).outcome).toBe(RecordOutcome.RECORDED);
  }
  await using again = await startTestService({ database, env });
  await drained(again);
  expect(refusedIn(again.dataDir)).toBe(1);
});
