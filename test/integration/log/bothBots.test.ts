import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { expect, test } from "vitest";
import { auditorAs, ledgerAs } from "../../support/callers.ts";
import { createTestDatabase } from "../../support/database.ts";
import { readExport } from "../../support/exportReader.ts";
import { startTestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";
import { action } from "../ledger/actions.ts";

test("both bots' records share one sequence of positions, in the order they were committed", async () => {
  await using service = await startTestService();
  const bot = await ledgerAs(service, "bot");
  const configStore = await auditorAs(service, "config-store");
  const sent: string[] = [];
  for (let i = 0; i < 10; i++) {
    await bot.recordUserAction(action(`evt_${i}`));
    await configStore.checkWrite(write(`param_${i}`));
    sent.push(`evt_${i}`, `param_${i}`);
  }
  const actions = await readExport((await ledgerAs(service, "compliance")).exportUserActions({}));
  const changes = await readExport((await auditorAs(service, "compliance")).exportParameterChanges({}));
  const byPosition: string[] = [];
  for (const line of [...actions.lines, ...changes.lines]) {
    const { position, event_id: eventId, param_name: paramName } = JSON.parse(line);
    byPosition[position - 1] = eventId ?? paramName;
  }
  expect(byPosition).toEqual(sent);
});

test("records get their positions by themselves, with nobody reading", async () => {
  await using service = await startTestService();
  const bot = await ledgerAs(service, "bot");
  for (let i = 0; i < 5; i++) await bot.recordUserAction(action(`evt_${i}`));
  await expect
    .poll(() =>
      service.database.query(
        "superuser",
        "select count(*)::int as n, max(position)::int as head from log.entry",
      ),
    )
    .toEqual([{ n: 5, head: 5 }]);
});

test("what a replica committed before it ended, and had no time to place, is placed by the next one", async () => {
  await using database = await createTestDatabase();
  await using folder = await mkdtempDisposable(join(tmpdir(), "governance-keys-"));
  const env = { GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key") };
  const placed = () => database.query("superuser", "select count(*)::int as n from log.entry");
  const holder = new pg.Client({ connectionString: database.url("superuser") });
  await holder.connect();
  {
    await using first = await startTestService({ database, env });
    await holder.query("begin; select pg_current_xact_id()");
    await (await ledgerAs(first, "bot")).recordUserAction(action("evt_last"));
  }
  expect(await placed()).toEqual([{ n: 0 }]);
  await holder.end();
  await using _second = await startTestService({ database, env });
  await expect.poll(placed).toEqual([{ n: 1 }]);
});
