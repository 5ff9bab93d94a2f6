import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../../src/cli/governance.ts", import.meta.url));

/** How the command ended. */
export type Ended = {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
};

/** The real command, as a process of its own. Disposing stops it. */
export type Command = AsyncDisposable & {
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<Ended>;
  /** Resolves with the ports once it says that it is ready; rejects when it ends first. */
  readonly ready: Promise<{ readonly grpcPort: number; readonly httpPort: number }>;
  signal(name: "SIGTERM" | "SIGINT" | "SIGHUP"): void;
};

/** Starts the command with these settings and no others. */
export function start(settings: Record<string, string>, ...args: string[]): Command {
  const { PATH = "", HOME = "", TMPDIR } = process.env;
  const env = { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }), ...settings };
  const started = performance.now();
  const child = spawn(process.execPath, [program, ...(args.length === 0 ? ["serve"] : args)], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) =>
      resolve({ code, stdout, stderr, seconds: (performance.now() - started) / 1000 }),
    );
  });
  const ready = new Promise<{ grpcPort: number; httpPort: number }>((resolve, reject) => {
    child.stdout.on("data", () => {
      const grpcPort = /gRPC +\S+:(\d+) /.exec(stdout)?.[1];
      const httpPort = /HTTP +https?:\/\/\S+:(\d+) /.exec(stdout)?.[1];
      if (stdout.includes("is ready") && grpcPort !== undefined && httpPort !== undefined) {
        resolve({ grpcPort: Number(grpcPort), httpPort: Number(httpPort) });
      }
    });
    void ended.then((end) => reject(new Error(`it ended with ${end.code}: ${end.stderr}`)));
  });
  ready.catch(() => undefined); // A test that waits for the end alone does not wait for this.
  return {
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    ready,
    signal: (name) => child.kill(name),
    async [Symbol.asyncDispose]() {
      // Asked first: killed, it would leave its Postgres behind.
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
      await ended;
      clearTimeout(timer);
    },
  };
}
