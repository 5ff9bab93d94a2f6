import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { z } from "zod";

/** Runs a program of the bench in a process of its own: a job as JSON in, a result as JSON out. */
export async function runProgram<Result>(
  program: URL,
  job: object,
  resultSchema: z.ZodType<Result>,
): Promise<Result> {
  const child = spawn(process.execPath, [fileURLToPath(program)], { stdio: ["pipe", "pipe", "inherit"] });
  const closed = once(child, "close");
  // A child that dies before it has read its job is reported by its exit code.
  child.stdin.on("error", () => {});
  child.stdin.end(JSON.stringify(job));
  const output = await text(child.stdout);
  await closed;
  if (child.exitCode !== 0) throw new Error(`${program.pathname} ended with ${exitOf(child)}`);
  return resultSchema.parse(JSON.parse(output));
}

/** A program that runs until it is disposed of. */
export interface RunningProgram extends AsyncDisposable {
  /** The line it printed when it was ready. */
  readonly firstLine: string;
  readonly pid: number;
}

/** Starts a program of the bench under Node with `nodeOptions`, and waits for the first line it prints. */
export async function startProgram(
  program: URL,
  nodeOptions: readonly string[] = [],
  args: readonly string[] = [],
): Promise<RunningProgram> {
  const child = spawn(process.execPath, [...nodeOptions, fileURLToPath(program), ...args], {
    // The pipe to stdin tells the program when its parent is gone.
    stdio: ["pipe", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  const first = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  if (first.done === true || child.pid === undefined) {
    await closed;
    throw new Error(`${program.pathname} ended with ${exitOf(child)} before it was ready`);
  }
  return {
    firstLine: first.value,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await closed;
    },
  };
}

function exitOf(child: ChildProcess): string {
  return child.signalCode ?? `exit code ${child.exitCode}`;
}
