import { parseArgs } from "node:util";

export type Flags =
  | { readonly kind: "help"; readonly problem?: string }
  | {
      readonly kind: "run";
      readonly seed: number;
      /** How often each fault is injected; undefined: as each scenario says for CI. */
      readonly rounds: number | undefined;
      /** Over again with the next seeds, until so much time has passed. */
      readonly minutes: number | undefined;
      readonly holdMs: number | undefined;
      readonly only: readonly string[];
      /** The checkout whose service is broken; undefined: this one. */
      readonly root: string | undefined;
      /** The broken builds alone, which the checker has to catch. */
      readonly checker: boolean;
      readonly list: boolean;
      readonly json: boolean;
    };

export const usage = `npm run test:faults -- [flags]

Breaks a real service and a real Postgres under load, and judges by what callers were told. Exit code 1 on any finding.

  --list            the scenarios
  --only A,B        these alone
  --seed N          chooses the moments and kinds of faults (default: 1); a run tells the seeds of what it finds
  --rounds N        faults a scenario (default: a few)
  --minutes N       all over again with the next seeds, until so many minutes have passed
  --hold SECONDS    how long each fault stays, e.g. --only postgres-frozen --hold 600
  --checker         the broken builds alone: mistakes put into a copy, each of which has to be found
                    (without it they come last, unless --only is given)
  --root FOLDER     the checkout whose service is broken (default: this one)
  --json            the table as JSON`;

export function parseFlags(args: readonly string[]): Flags {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seed: { type: "string", default: "1" },
        rounds: { type: "string" },
        minutes: { type: "string" },
        hold: { type: "string" },
        only: { type: "string", default: "" },
        checker: { type: "boolean", default: false },
        root: { type: "string" },
        list: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) return { kind: "help" };
    const hold = optionalNumber("--hold", values.hold);
    return {
      kind: "run",
      seed: Math.floor(numberOf("--seed", values.seed)),
      rounds: optionalNumber("--rounds", values.rounds),
      minutes: optionalNumber("--minutes", values.minutes),
      holdMs: hold === undefined ? undefined : hold * 1000,
      only: values.only.split(",").filter((name) => name !== ""),
      root: values.root,
      checker: values.checker,
      list: values.list,
      json: values.json,
    };
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    console.error(problem);
    return { kind: "help", problem };
  }
}

function optionalNumber(flag: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : numberOf(flag, text);
}

function numberOf(flag: string, text: string): number {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value) || value < 0)
    throw new Error(`${flag}: "${text}" is not a number from 0`);
  return value;
}
