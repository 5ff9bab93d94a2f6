import { setTimeout as sleep } from "node:timers/promises";
import type { Setting, Stage } from "./stage.ts";

type Described = {
  readonly name: string;
  /** What is broken, for the table. */
  readonly fault: string;
  readonly setting?: Setting;
  /** How often, in CI; a flag says otherwise. */
  readonly rounds: number;
  /** Why it cannot be played here. */
  readonly skip?: () => Promise<string | undefined>;
};

/** A fault that comes and goes under load. */
export type Repeated = Described & {
  readonly kind: "repeated";
  /** How long it stays, and the quiet before it: from, to. */
  readonly holdMs: readonly [number, number];
  readonly calmMs: readonly [number, number];
  /** After the fault ends everything is as before within this, without a restart. */
  readonly recoverWithinMs: number;
  inject(stage: Stage): Promise<void> | void;
  heal(stage: Stage): Promise<void> | void;
};

/** A fault with a story of its own. */
export type Staged = Described & {
  readonly kind: "staged";
  play(stage: Stage, rounds: number, options: PlayOptions): Promise<void>;
};

export type Scenario = Repeated | Staged;

/** holdMs: how long faults stay, where the caller wants it otherwise. */
export type PlayOptions = { readonly holdMs: number | undefined };

export async function play(
  scenario: Scenario,
  stage: Stage,
  rounds: number,
  options: PlayOptions,
): Promise<void> {
  if (scenario.kind === "staged") return scenario.play(stage, rounds, options);
  const { calmMs, holdMs, recoverWithinMs } = scenario;
  await stage.load();
  for (let round = 0; round < rounds; round++) {
    await sleep(stage.random.between(...calmMs));
    await scenario.inject(stage);
    stage.injected();
    await sleep(options.holdMs ?? stage.random.between(...holdMs));
    await scenario.heal(stage);
    await stage.recovered(recoverWithinMs);
  }
}
