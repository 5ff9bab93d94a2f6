import { expect, test } from "vitest";
import { createTestDatabase } from "../../support/database.ts";
import { startTestService } from "../../support/service.ts";
import { change, configAs, ledger, parameterOf } from "./config.ts";

test("changes by two operators on two replicas at once take turns: each replaces what the one before stored", async () => {
  await using database = await createTestDatabase();
  await using first = await startTestService({ database });
  const env = { GOVERNANCE_SCRUB_KEY_FILE: `${first.dataDir}/scrub.key` };
  await using second = await startTestService({ database, env });
  const operators = [await configAs(first, "operator", "o-1"), await configAs(second, "operator", "o-2")];

  const calls = Array.from({ length: 12 }, (_, n) =>
    operators[n % 2]?.updateBotConfig(change(ledger, "retain_days", 3000 + n)),
  );
  for (const answer of await Promise.all(calls)) expect(answer?.verdict?.allowed).toBe(true);

  const stored = await database.query<{ old: string; new: string; by: string }>(
    "superuser",
    `select c.old_value_json as old, b.value_json as new, b.editor as by
     from maintenance.bot_config b join auditor.parameter_change c on c.record_id = b.decision_id order by b.seq`,
  );
  expect(stored).toHaveLength(12);
  expect(stored.map((row) => row.old)).toEqual(["2555", ...stored.slice(0, -1).map((row) => row.new)]);
  expect(new Set(stored.map((row) => row.by))).toEqual(new Set(["o-1", "o-2"]));

  // Any change on a replica shows it what is stored, without waiting for the next look.
  for (const operator of operators) {
    await operator.updateBotConfig(change(ledger, "publish_to_user", false));
    expect(await parameterOf(operator, ledger, "retain_days")).toEqual([
      Number(stored.at(-1)?.new),
      "STORED",
    ]);
  }
});
