// Us beside our peers, on this machine, in turns:
//   npm run bench [-- --seconds 5 --turns 5 --json --only unary --only noop]
import { parseArgs } from "node:util";
import type { Comparison, Context } from "./comparison.ts";
import { allComparisons } from "./comparisons/all.ts";
import { startDatabase } from "./database.ts";
import { startEcho } from "./echo.ts";
import { serveNodeOptions } from "./nodeOptions.ts";
import { startService } from "./service.ts";
import { formatTable } from "./table.ts";
import { compare, type Outcome } from "./turns.ts";

interface Options {
  seconds: number;
  turns: number;
  json: boolean;
  /** Names of comparisons; empty: all. */
  only: string[];
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "5" },
      turns: { type: "string", default: "5" },
      json: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
    },
  });
  return {
    seconds: positive("--seconds", values.seconds),
    turns: positive("--turns", values.turns),
    json: values.json,
    only: values.only,
  };
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${option} ${text}: a whole number from 1`);
  return value;
}

function select(only: readonly string[]): readonly Comparison[] {
  const names = allComparisons.map(({ name }) => name);
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: one of ${names.join(", ")}`);
  return only.length === 0 ? allComparisons : allComparisons.filter(({ name }) => only.includes(name));
}

async function bench({ seconds, turns, only }: Options, signal: AbortSignal): Promise<Outcome[]> {
  const comparisons = select(only);
  for (const comparison of comparisons) await comparison.ready?.();
  await using database = await startDatabase();
  await using service = await startService();
  await using echo = await startEcho(service.botConfig, serveNodeOptions);
  const context: Context = { service, echo, database: database.peers, seconds };
  const outcomes: Outcome[] = [];
  for (const comparison of comparisons) {
    outcomes.push(
      await compare(comparison, context, turns, signal, (number, { ours, peer }) => {
        const which = number === 0 ? "warming up" : `turn ${number} of ${turns}`;
        const figures = `ours ${Math.round(ours.value)}, peer ${Math.round(peer.value)} ${comparison.unit}`;
        console.error(`${comparison.name}, ${which}: ${figures}`);
      }),
    );
  }
  return outcomes;
}

// Whatever ends the bench, the database it started has to be stopped and removed.
const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => interrupted.abort(new Error("interrupted")));
}

try {
  const options = readOptions();
  const outcomes = await bench(options, interrupted.signal);
  console.log(options.json ? JSON.stringify(outcomes, null, 2) : formatTable(outcomes));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
