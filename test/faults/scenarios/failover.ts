import type { Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";

/** What every session is, from its next statement on. */
async function readOnly({ postgres }: Stage, on: boolean): Promise<void> {
  const session = await postgres.session();
  await session.query("set default_transaction_read_only = off");
  await session.query(
    on
      ? "alter system set default_transaction_read_only = on"
      : "alter system reset default_transaction_read_only",
  );
  await session.query("select pg_reload_conf()");
  await session.end();
}

export const failover: readonly Scenario[] = [
  {
    kind: "repeated",
    name: "read-only",
    fault: "25006: Postgres is a standby of somebody else",
    rounds: 2,
    calmMs: [200, 500],
    holdMs: [400, 1_000],
    recoverWithinMs: 5_000,
    inject: (stage) => readOnly(stage, true),
    heal: (stage) => readOnly(stage, false),
  },
  {
    kind: "repeated",
    name: "backends-ended",
    fault: "57P01: pg_terminate_backend of every session, again and again",
    rounds: 3,
    calmMs: [50, 300],
    holdMs: [0, 100],
    recoverWithinMs: 5_000,
    async inject({ postgres }) {
      await postgres.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'governance%'",
      );
    },
    heal: () => undefined,
  },
];
