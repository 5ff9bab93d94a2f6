import { setTimeout as sleep } from "node:timers/promises";
import { type Positions, watchPositions } from "../parts/positions.ts";
import type { Replica } from "../parts/replica.ts";
import type { Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";

/** Another one goes on with the log within this. */
const takeoverMs = 5_000;

const setting = { replicas: 3, isBalanced: true };

/** Waits for a replica to begin a step of the log, and for a moment in it. Any may take the next one. */
async function inStep(stage: Stage, among: readonly Replica[]): Promise<Replica> {
  const statement = stage.random.pick(["log.advance", "log.follow"]);
  const replica = await Promise.race(
    among.map(async (each) => {
      await stage.networks[stage.replicas.indexOf(each)]?.says(statement);
      return each;
    }),
  );
  await sleep(stage.random.between(0, 3));
  return replica;
}

function tell(stage: Stage, what: string, pausesMs: readonly number[]): void {
  const rounded = pausesMs.map(Math.round);
  stage.note(`the log went on after ${rounded.join(", ")} ms`);
  for (const ms of rounded) {
    if (ms > takeoverMs) stage.found("log", `no position was given for ${ms} ms after a replica was ${what}`);
  }
}

async function underLoad(stage: Stage): Promise<Positions> {
  await stage.load();
  const positions = await watchPositions(stage.postgres);
  await positions.goOn();
  return positions;
}

export const logLeader: readonly Scenario[] = [
  {
    kind: "staged",
    name: "log-leader-killed",
    fault: "kill -9 of the one of three replicas that gives positions, in a step",
    rounds: 3,
    setting,
    async play(stage, rounds) {
      await using positions = await underLoad(stage);
      const pausesMs: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const killed = await inStep(stage, stage.replicas);
        const sinceMs = performance.now();
        await killed.kill();
        stage.injected();
        await sleep(stage.random.between(300, 600));
        await positions.goOn();
        pausesMs.push(positions.longestPauseMs(sinceMs));
        await killed.start();
      }
      tell(stage, "killed", pausesMs);
    },
  },
  {
    kind: "staged",
    name: "log-leader-frozen",
    fault: "SIGSTOP of the two of three replicas that give positions, one after the other, in a step",
    rounds: 1,
    setting,
    async play(stage, rounds, { holdMs = takeoverMs }) {
      await using positions = await underLoad(stage);
      const pausesMs: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const sinceMs = performance.now();
        let left = stage.replicas;
        while (left.length > 1) {
          const frozen = await inStep(stage, left);
          frozen.freeze();
          stage.injected();
          left = left.filter((each) => each !== frozen);
        }
        await sleep(holdMs);
        pausesMs.push(positions.longestPauseMs(sinceMs));
        for (const each of stage.replicas) if (!left.includes(each)) each.thaw();
        await positions.goOn();
        await stage.recovered(10_000);
      }
      tell(stage, "frozen", pausesMs);
    },
  },
];
