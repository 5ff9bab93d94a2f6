import { setTimeout as sleep } from "node:timers/promises";
import type { Scenario } from "../scenario.ts";

/** The months' tables are gone as if the clock had come to a month that nobody prepared: made anew, under load. */
export const months: Scenario = {
  kind: "staged",
  name: "month-begins",
  fault: "the service comes to a month whose tables nobody made",
  rounds: 1,
  async play(stage) {
    const { postgres, replica } = stage;
    await replica.stop();
    const parts = await postgres.query<{ name: string }>(
      `select i.inhrelid::regclass::text as name from pg_inherits i join pg_class c on c.oid = i.inhparent
       where c.relkind = 'p' and c.relnamespace::regnamespace::text in ('ledger', 'auditor', 'access')`,
    );
    await replica.start();
    // After its start, which makes what is missing.
    for (const { name } of parts) await postgres.query(`drop table ${name}`);
    stage.injected();
    await stage.load();
    await sleep(1_500);
    await stage.recovered(5_000);
    stage.note(`${parts.length} tables were missing`);
  },
};
