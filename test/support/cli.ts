import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { TestService } from "./service.ts";

const command = fileURLToPath(new URL("../../bin/governance.js", import.meta.url));

/** How a run of the command ended, and what it wrote. */
export type CliRun = {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stdoutBytes: Buffer;
  readonly stderr: string;
};

/** A command under way, in a process of its own. */
export type RunningCli = { readonly child: ChildProcess; readonly done: Promise<CliRun> };

export type CliOptions = {
  /** What the command finds in its environment beside PATH and HOME; nothing of the test's own. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly stdin?: string;
  /** Another program than this Node with bin/governance.js. */
  readonly program?: readonly string[];
  /** In a process group of its own, as a terminal does it: process.kill(-pid) reaches all of it. */
  readonly group?: true;
};

/** Starts `governance` with the arguments. */
export function startCli(args: readonly string[], options: CliOptions = {}): RunningCli {
  const [file = "", ...before] = options.program ?? [process.execPath, command];
  const child = spawn(file, [...before, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: "pipe",
    detached: options.group ?? false,
  });
  child.stdin.end(options.stdin ?? "");
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => err.push(bytes));
  const done = new Promise<CliRun>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode, signal) => {
      const stdoutBytes = Buffer.concat(out);
      resolve({
        exitCode,
        signal,
        stdout: stdoutBytes.toString(),
        stdoutBytes,
        stderr: Buffer.concat(err).toString(),
      });
    });
  });
  return { child, done };
}

/** Runs `governance` to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  return startCli(args, options).done;
}

/** The environment of a command on the service's own machine: it finds the listener and the development key. */
export function envOf(service: TestService, port = service.grpcPort): NodeJS.ProcessEnv {
  return { GOVERNANCE_GRPC_ADDR: `127.0.0.1:${port}`, GOVERNANCE_DATA_DIR: service.dataDir };
}
