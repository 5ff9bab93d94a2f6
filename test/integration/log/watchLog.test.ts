import pg from "pg";
import { expect, test } from "vitest";
import { ledgerAs } from "../../support/callers.ts";
import { metricValue } from "../../support/metrics.ts";
import { startTestService } from "../../support/service.ts";
import { until } from "../alerts/receiving.ts";
import { action } from "../ledger/actions.ts";

test("while somebody's transaction holds the log up it is seen how much waits and for how long, and afterwards nothing", async () => {
  await using service = await startTestService();
  const bot = await ledgerAs(service, "bot");
  await bot.recordUserAction(action("before"));
  const waiting = () => metricValue(service, "polytraders_gov_log_unplaced_records");
  const seconds = () => metricValue(service, "polytraders_gov_log_horizon_seconds");
  await until("all has its position", async () => (await waiting()) === 0 && (await seconds()) === 0);

  const holder = new pg.Client({ connectionString: service.database.url("superuser") });
  await holder.connect();
  try {
    await holder.query("begin");
    await holder.query("select pg_current_xact_id()");
    await bot.recordUserAction(action("after"));
    await until("what waits is seen", async () => (await waiting()) === 1);
    await until("it gets older", async () => ((await seconds()) ?? 0) > 0.1);
  } finally {
    await holder.end();
  }
  await until("it has its position", async () => (await waiting()) === 0 && (await seconds()) === 0);
  expect(Math.abs((await metricValue(service, "polytraders_gov_database_clock_seconds")) ?? 99)).toBeLessThan(
    2,
  );
});
