import { afterAll, beforeAll, expect, test } from "vitest";
import { auditorAs, ledgerAs } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { readExport } from "../../support/exportReader.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";

let database: TestDatabase;
let proxy: DatabaseProxy;
let cutOff: TestService;
let whole: TestService;
const running = new AsyncDisposableStack();
beforeAll(async () => {
  database = running.use(await createTestDatabase());
  proxy = running.use(await startDatabaseProxy());
  cutOff = running.use(
    await startTestService({ database, env: { DATABASE_URL: proxy.through(database.url("service")) } }),
  );
  const env = { GOVERNANCE_SCRUB_KEY_FILE: `${cutOff.dataDir}/scrub.key` };
  whole = running.use(await startTestService({ database, env }));
});
afterAll(async () => {
  proxy.mend();
  await running.disposeAsync();
});

async function holding(): Promise<readonly string[]> {
  const compliance = await auditorAs(whole, "compliance");
  const { trailer } = await readExport(compliance.exportParameterChanges({}));
  return trailer.replicasWithSpooledRecords;
}

test("an export names the replicas that may hold records back, and no other", async () => {
  await expect.poll(holding, { timeout: 10_000 }).toEqual([]);
  proxy.cut();
  const store = await auditorAs(cutOff, "config-store");
  await store.checkWrite(write("held_back"));
  // It cannot say so itself; its silence does.
  await expect.poll(holding, { timeout: 15_000, interval: 200 }).toHaveLength(1);
  proxy.mend();
  await expect.poll(holding, { timeout: 15_000, interval: 200 }).toEqual([]);
  const rows = await database.query(
    "superuser",
    "select param_name from auditor.parameter_change where param_name = 'held_back'",
  );
  expect(rows).toHaveLength(1);
});

test("a replica that stopped with an empty spool is not waited for, one that stopped with records is", async () => {
  const own = { GOVERNANCE_SCRUB_KEY_FILE: `${cutOff.dataDir}/scrub.key` };
  const other = await startTestService({ database, env: own });
  await (await ledgerAs(other, "bot")).recordUserAction({
    eventId: "evt_other",
    wallet: `0x${"1".repeat(40)}`,
    sessionId: "s",
    actionType: "HALT",
  });
  await other[Symbol.asyncDispose]();
  const rows = await database.query("superuser", "select spooled, stopped from log.replica where stopped");
  expect(rows).toEqual([{ spooled: false, stopped: true }]);
  await database.query("superuser", "update log.replica set spooled = true where stopped");
  expect(await holding()).toHaveLength(1);
});
