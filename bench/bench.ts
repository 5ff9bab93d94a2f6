// Us beside our peers, on this machine, in turns:
//   npm run bench [-- --seconds 5 --turns 5 --json --only unary --only noop]
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { startCluster } from "./cluster.ts";
import type { Comparison, Context, Figure } from "./comparison.ts";
import { all } from "./comparisons/all.ts";
import { startEcho } from "./echo.ts";
import { fsyncUs } from "./fsync.ts";
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

function select(only: readonly string[]): readonly (Comparison | Figure)[] {
  const names = all.map(({ name }) => name);
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: one of ${names.join(", ")}`);
  return only.length === 0 ? all : all.filter(({ name }) => only.includes(name));
}

async function bench({ seconds, turns, only }: Options, signal: AbortSignal): Promise<Outcome[]> {
  const selected = select(only);
  for (const each of selected) if (each.kind === "comparison") await each.ready?.();
  await using cluster = await startCluster();
  await using service = await startService();
  await using echo = await startEcho("grpc-js", service.botConfig, serveNodeOptions);
  await using http2 = await startEcho("http2", service.botConfig, serveNodeOptions);
  const { host, port, user, password } = cluster.superuser;
  const database = { host, port, user, password, database: "postgres" };
  const context: Context = { service, echo, http2, database, seconds };
  const outcomes: Outcome[] = [];
  for (const each of selected) {
    outcomes.push(
      await compare(each, context, turns, signal, (number, { ours, peer }) => {
        const which = number === 0 ? "warming up" : `turn ${number} of ${turns}`;
        const beside = peer === undefined ? "" : `, peer ${Math.round(peer.value)}`;
        console.error(`${each.name}, ${which}: ours ${Math.round(ours.value)}${beside} ${each.unit}`);
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
  const machine = {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? "",
    node: process.version,
    fsyncUs: await fsyncUs(),
  };
  if (options.json) {
    console.log(JSON.stringify({ machine, outcomes }, null, 2));
  } else {
    console.log(formatTable(outcomes));
    console.log(
      `\n${machine.cores} cores (${machine.cpu}), Node ${machine.node}; a page is flushed in ${machine.fsyncUs} µs`,
    );
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
