import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Scenario } from "../scenario.ts";

let holding: pg.Client | undefined;

export const locks: readonly Scenario[] = [
  {
    kind: "repeated",
    name: "tables-locked",
    fault: "LOCK TABLE of the ledger's and the auditor's records",
    rounds: 2,
    calmMs: [200, 500],
    holdMs: [500, 1_500],
    recoverWithinMs: 5_000,
    async inject({ postgres }) {
      holding = await postgres.session();
      await holding.query("begin");
      await holding.query("lock table ledger.user_action, auditor.parameter_change in access exclusive mode");
    },
    async heal() {
      await holding?.query("rollback");
      await holding?.end();
    },
  },
  {
    kind: "staged",
    name: "deadlocks",
    fault: "another session takes the tables in the other order",
    rounds: 8,
    async play(stage, rounds) {
      await stage.load();
      for (let round = 0; round < rounds; round++) {
        await sleep(stage.random.between(20, 120));
        const session = await stage.postgres.session();
        // Ours waits long enough for the service's statement to be the one that notices.
        await session.query("set deadlock_timeout = '5s'");
        await session.query("begin");
        await session.query("lock table ledger.user_action in share row exclusive mode");
        await sleep(stage.random.between(5, 30));
        await session.query("lock table ledger.event_key in share row exclusive mode").catch(() => undefined);
        await session.query("rollback").catch(() => undefined);
        await session.end();
        stage.injected();
      }
      await stage.recovered(5_000);
    },
  },
];
