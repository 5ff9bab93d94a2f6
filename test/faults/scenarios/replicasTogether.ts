import { setTimeout as sleep } from "node:timers/promises";
import { fromJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { BotConfigService } from "../../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { RetentionService } from "../../../gen/ts/polytraders/governance/v1/retention_service_pb.ts";
import { type Connection, connect, failed } from "../load/connection.ts";
import { recordEverywhere } from "../load/everywhere.ts";
import type { Replica } from "../parts/replica.ts";
import type { Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";

/** The contract's: all replicas follow a change within this. */
const followMs = 2_000;
const oldMonth = "2015-01-01Z";

/** Everything that replicas share, at once: keys, the bots' parameters, the purge's turn, the log. */
export const replicasTogether: Scenario = {
  kind: "staged",
  name: "replicas-together",
  fault:
    "three replicas: duplicates at once, a parameter changed, a purge, one killed, one stopped, all under load",
  rounds: 1,
  setting: {
    replicas: 3,
    isBalanced: true,
    settings: (postgres) => ({ DATABASE_ADMIN_URL: postgres.url("admin") }),
  },
  async play(stage, rounds) {
    await stage.postgres.query("select maintenance.ensure_month($1::timestamptz)", [oldMonth]);
    const operators = new Map<Replica, Connection>();
    for (const each of stage.replicas) {
      operators.set(each, connect(each.grpcPort, await each.token("operator", "olivia")));
    }
    await stage.load();
    for (let round = 0; round < rounds; round++) {
      const [killed, stopped, left] = shuffled(stage);
      await Promise.all([
        recordEverywhere(stage, stage.replicas, { name: `at-once-${round}`, events: 60, atOnce: true }),
        purge(stage, [...operators.values()]),
        changeParameter(stage, operators, 2_600 + round),
      ]);
      await killed.kill();
      stage.injected();
      const [{ code }] = await Promise.all([stopped.stop(), killed.start()]);
      stage.injected();
      if (code !== 0) stage.found("recovery", `SIGTERM ended ${stopped.name} with ${code}`);
      const pair = [killed, left];
      await Promise.all([
        stopped.start(),
        recordEverywhere(stage, pair, { name: `pair-${round}`, events: 30, atOnce: true }),
      ]);
      await stage.recovered(10_000);
    }
    for (const connection of operators.values()) connection[Symbol.dispose]();
  },
};

function shuffled({ random, replicas }: Stage): readonly [Replica, Replica, Replica] {
  const from = random.between(0, replicas.length - 1);
  const [first, second, third] = [...replicas.slice(from), ...replicas.slice(0, from)];
  if (first === undefined || second === undefined || third === undefined)
    throw new Error("three replicas are needed");
  return [first, second, third];
}

/** Changes one on one replica; the others have it within 2 s. */
async function changeParameter(
  stage: Stage,
  operators: ReadonlyMap<Replica, Connection>,
  days: number,
): Promise<void> {
  const botId = "gov.useractivityledger";
  const [on] = operators.values();
  const change = {
    botId,
    paramName: "retain_days",
    value: fromJson(ValueSchema, days),
    editorId: "olivia",
    ticketRef: "PTRD-1",
  };
  for (;;) {
    try {
      await on?.call(BotConfigService.method.updateBotConfig, change, 3_000);
      break;
    } catch (cause) {
      // What cannot be decided durably at once is refused, and may be asked for again.
      if (failed(cause).code !== "UNAVAILABLE") throw cause;
    }
  }
  const changedMs = performance.now();
  const took = await Promise.all(
    [...operators].map(async ([replica, connection]) => {
      for (;;) {
        const { parameters } = await connection.call(BotConfigService.method.getBotConfig, { botId }, 3_000);
        const value = parameters.find(({ paramName }) => paramName === "retain_days")?.value?.kind;
        const tookMs = performance.now() - changedMs;
        if (value?.case === "numberValue" && value.value === days) return tookMs;
        if (tookMs > 2 * followMs) {
          stage.found("recovery", `${replica.name} does not follow a changed parameter`);
          return tookMs;
        }
        await sleep(20);
      }
    }),
  );
  const slowestMs = Math.round(Math.max(...took));
  stage.note(`a changed parameter is in force everywhere after ${slowestMs} ms`);
  if (slowestMs > followMs) stage.found("late", `a changed parameter was followed after ${slowestMs} ms`);
}

/** Asks all replicas at once: one at a time runs it, the others are refused. */
async function purge(stage: Stage, operators: readonly Connection[]): Promise<void> {
  const answers = await Promise.all(
    operators.map((each) =>
      each.call(RetentionService.method.runPurge, {}, 20_000).then(
        () => "ran",
        (cause: unknown) => failed(cause).reason ?? failed(cause).message,
      ),
    ),
  );
  const ran = answers.filter((answer) => answer === "ran").length;
  const odd = answers.filter((answer) => answer !== "ran" && answer !== "PURGE_REFUSED");
  if (ran === 0 || odd.length > 0) stage.found("recovery", `the purge answered ${answers.join(", ")}`);
  const [row] = await stage.postgres.query<{ overlapping: number; left: number }>(
    `with run as (select run_id, started_at, ended_at from maintenance.purge_run left join maintenance.purge_end using (run_id))
     select (select count(*)::int from run a join run b on a.run_id < b.run_id
             where tstzrange(a.started_at, a.ended_at) && tstzrange(b.started_at, b.ended_at)) as overlapping,
       (select count(*)::int from pg_inherits where inhrelid::regclass::text ~ '_2015_01$') as left`,
  );
  if (row?.overlapping !== 0 || row.left !== 0)
    stage.found("recovery", `${row?.overlapping} purges overlap, ${row?.left} months of 2015 are left`);
}
