import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile, rename, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { StartupError } from "../../startupError.ts";
import type { Command } from "./account.ts";
import { readPidFile } from "./pidFile.ts";
import { childEnvironment } from "./settings.ts";
import { STOP_STEPS, type StopSteps, stopStepsWithin } from "./stopSteps.ts";

/** How a Postgres ended that nobody asked to. */
export type PostgresExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** A running Postgres. Disposing of it stops it. */
export type Postmaster = AsyncDisposable & {
  readonly pid: number;
  /** Stops it by these steps; once it is asked to stop, later calls wait for that. */
  stop(steps: StopSteps): Promise<void>;
  /** Resolves if Postgres ends without being asked; never otherwise. */
  readonly exited: Promise<PostgresExit>;
};

const START_TIMEOUT_MS = 120_000;
const POLL_MS = 5;
const MAX_LOG_BYTES = 10 * 1024 * 1024;
/** How long to wait for the last processes of a Postgres that was killed. */
const REMNANTS_MS = 10_000;

/**
 * Starts Postgres and resolves when it accepts connections, 120 s at most (recovery); when `signal` is aborted it
 * is given up, in 2 s. Throws StartupError.
 */
export async function startPostmaster(
  command: Command,
  dataDir: string,
  logFile: string,
  signal: AbortSignal | undefined,
): Promise<Postmaster> {
  const deadline = performance.now() + REMNANTS_MS;
  for (;;) {
    const result = await tryStart(command, dataDir, logFile, signal);
    if (typeof result !== "string") return result;
    // Has no code of its own. Postgres refuses while processes of a killed one may still write; they end soon.
    const remnants = result.includes("pre-existing shared memory block");
    if (!remnants || performance.now() > deadline || signal?.aborted) {
      const hint = remnants
        ? "end the old one's processes (`postgres: governance ...`) and start again; "
        : "";
      throw new StartupError(
        `Postgres does not start in ${dataDir} (${result}); ${hint}its log is ${logFile}`,
      );
    }
    await sleep(250);
  }
}

async function tryStart(
  command: Command,
  dataDir: string,
  logFile: string,
  signal: AbortSignal | undefined,
): Promise<Postmaster | string> {
  const log = await openLog(logFile);
  const logStart = (await log.stat()).size;
  const child = spawn(command.file, [...command.args], {
    ...command.credentials,
    // A group of its own: Ctrl-C in the terminal is for us, who then stop Postgres in order.
    detached: true,
    cwd: "/",
    env: childEnvironment(),
    stdio: ["ignore", log.fd, log.fd],
  });
  let failure: Error | undefined;
  child.on("error", (error) => {
    failure ??= error;
  });
  await log.close();
  if (child.pid === undefined) return failure?.message ?? `${command.file} cannot be run`;
  const problem = await untilReady(child, child.pid, dataDir, signal);
  if (problem === undefined) return running(child, child.pid);
  await stopChild(child, signal?.aborted ? stopStepsWithin(1_500) : STOP_STEPS);
  return (await firstComplaint(logFile, logStart)) ?? problem;
}

async function untilReady(
  child: ChildProcess,
  pid: number,
  dataDir: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadline) {
    if (hasEnded(child)) return `it ended with ${child.signalCode ?? `code ${child.exitCode}`}`;
    const status = await readPidFile(dataDir);
    if (status?.pid === pid && status.ready) return undefined;
    if (signal?.aborted) return "it was stopped before it was ready";
    await sleep(POLL_MS);
  }
  return `it was not ready within ${START_TIMEOUT_MS / 1000} s`;
}

function running(child: ChildProcess, pid: number): Postmaster {
  let stopping: Promise<void> | undefined;
  const exited = new Promise<PostgresExit>((resolve) => {
    child.once("exit", (code, signal) => {
      process.off("exit", interrupt);
      if (stopping === undefined) resolve({ code, signal });
    });
  });
  // For a process that ends without disposing of us, by process.exit() or an uncaught error.
  const interrupt = () => child.kill("SIGINT");
  process.on("exit", interrupt);
  const stop = (steps: StopSteps) => {
    stopping ??= stopChild(child, steps);
    return stopping;
  };
  return { pid, exited, stop, [Symbol.asyncDispose]: () => stop(STOP_STEPS) };
}

async function stopChild(child: ChildProcess, steps: StopSteps): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  for (const { signal, waitMs } of steps) {
    if (hasEnded(child)) return;
    child.kill(signal);
    await Promise.race([ended, sleep(waitMs, undefined, { ref: false })]);
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function openLog(logFile: string) {
  try {
    const size = await stat(logFile).then(
      (found) => found.size,
      () => 0,
    );
    // One old log is kept, so that the two stay bounded over restarts.
    if (size > MAX_LOG_BYTES) await rename(logFile, `${logFile}.1`);
    return await open(logFile, "a", 0o600);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(`cannot write Postgres' log ${logFile} (${reason})`, { cause: error });
  }
}

async function firstComplaint(logFile: string, from: number): Promise<string | undefined> {
  const text = (await readFile(logFile).catch(() => Buffer.alloc(0))).subarray(from).toString("utf8");
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  // The first is the cause, what follows its consequences; the last may be the loader's, before Postgres can log.
  const line = lines.find((each) => /(FATAL|PANIC): /.test(each)) ?? lines.at(-1);
  return line?.replace(/^.*?(FATAL|PANIC): +/, "").trim();
}
