import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, createWriteStream, mkdirSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { developmentToken, loadDevelopmentKey } from "../../../src/keys/developmentKey.ts";
import { signal } from "./processes.ts";

/** The service as a process, to be killed and started again on its folder and ports. */
export type Replica = AsyncDisposable & {
  readonly name: string;
  readonly dataDir: string;
  readonly pid: number;
  readonly grpcPort: number;
  readonly httpPort: number;
  /** When it could not be expected to answer: monotonic milliseconds, the last one perhaps still open. */
  readonly away: readonly { readonly fromMs: number; untilMs: number }[];
  /** Ends it without warning. */
  kill(): Promise<void>;
  /** SIGTERM, and how it ended. */
  stop(): Promise<{ readonly code: number | null; readonly ms: number }>;
  /** SIGSTOP, and SIGCONT. */
  freeze(): void;
  thaw(): void;
  /** Starts it again, from the src/ of another folder if one is given. Rejects when it ends instead, with its last words. */
  start(from?: string): Promise<void>;
  token(role: string, subject: string): Promise<string>;
  /** The value of a metric, summed over its labels; undefined where there is none. */
  metric(name: string): Promise<number | undefined>;
  /** What it has logged so far. */
  logged(): Promise<string>;
};

/** Root of the checkout that this file lies in. */
export const checkout = fileURLToPath(new URL("../../..", import.meta.url));

/** Starts `governance serve`; `root` is the folder whose src/ is run. */
export async function startReplica(options: {
  readonly name: string;
  readonly folder: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly root?: string;
  /** A command to run it under, as strace with its options. */
  readonly under?: readonly string[];
}): Promise<Replica> {
  const dataDir = join(options.folder, "data");
  const logFile = join(options.folder, "service.log");
  let root = options.root ?? checkout;
  const ports = { grpc: 0, http: 0 };
  const away: { fromMs: number; untilMs: number }[] = [];
  let child: ChildProcess | undefined;
  let pid = 0;

  async function start(): Promise<void> {
    const program = join(root, "src", "cli", "governance.ts");
    const { PATH = "", HOME = "", TMPDIR } = process.env;
    mkdirSync(options.folder, { recursive: true });
    const log = openSync(logFile, "a");
    const [file, ...args] = [...(options.under ?? []), process.execPath, program, "serve"];
    const started = spawn(file ?? process.execPath, args, {
      env: {
        PATH,
        HOME,
        ...(TMPDIR === undefined ? {} : { TMPDIR }),
        GOVERNANCE_DATA_DIR: dataDir,
        GOVERNANCE_GRPC_ADDR: `127.0.0.1:${ports.grpc}`,
        GOVERNANCE_HTTP_ADDR: `127.0.0.1:${ports.http}`,
        GOVERNANCE_LOG_LEVEL: "info",
        ...options.settings,
      },
      stdio: ["ignore", "pipe", log],
    });
    closeSync(log);
    started.stdout?.pipe(createWriteStream(logFile, { flags: "a" }));
    child = started;
    // Nothing of it outlives the suite, however that ends.
    const end = () => started.kill("SIGKILL");
    process.once("exit", end);
    started.once("exit", () => process.off("exit", end));
    const said = await greeting(started, logFile);
    ports.grpc = said.grpcPort;
    ports.http = said.httpPort;
    pid = options.under === undefined ? (started.pid ?? 0) : await lockHolder(dataDir);
    comeBack();
  }

  function leave(): void {
    away.push({ fromMs: performance.now(), untilMs: Number.POSITIVE_INFINITY });
  }

  function comeBack(): void {
    const last = away.at(-1);
    if (last !== undefined) last.untilMs = performance.now();
  }

  await start();
  const { signing } = loadDevelopmentKey(dataDir);

  return {
    name: options.name,
    dataDir,
    get pid() {
      return pid;
    },
    get grpcPort() {
      return ports.grpc;
    },
    get httpPort() {
      return ports.http;
    },
    away,
    async kill() {
      if (child === undefined || hasEnded(child)) return;
      leave();
      signal(pid, "SIGKILL");
      await ended(child);
    },
    async stop() {
      if (child === undefined || hasEnded(child)) return { code: null, ms: 0 };
      leave();
      const asked = performance.now();
      signal(pid, "SIGTERM");
      await ended(child);
      return { code: child.exitCode, ms: performance.now() - asked };
    },
    freeze() {
      leave();
      signal(pid, "SIGSTOP");
    },
    thaw() {
      signal(pid, "SIGCONT");
      comeBack();
    },
    start(from = root) {
      root = from;
      return start();
    },
    token: (role, subject) =>
      developmentToken(signing, { subject, roles: [role], wallet: undefined, ttlSeconds: 86_400 }),
    async metric(name) {
      const response = await fetch(`http://127.0.0.1:${ports.http}/metrics`, {
        signal: AbortSignal.timeout(2_000),
      });
      const lines = (await response.text()).split("\n");
      const values = lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
      if (values.length === 0) return undefined;
      return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
    },
    logged: () => readFile(logFile, "utf8"),
    async [Symbol.asyncDispose]() {
      if (child === undefined || hasEnded(child)) return;
      signal(pid, "SIGCONT");
      signal(pid, "SIGTERM");
      const timer = setTimeout(() => signal(pid, "SIGKILL"), 15_000);
      await ended(child);
      clearTimeout(timer);
    },
  };
}

async function greeting(
  child: ChildProcess,
  logFile: string,
): Promise<{ grpcPort: number; httpPort: number }> {
  let said = "";
  return new Promise((resolve, reject) => {
    child.stdout?.on("data", (text) => {
      said += text;
      const grpcPort = /gRPC +\S+:(\d+) /.exec(said)?.[1];
      const httpPort = /HTTP +https?:\/\/\S+:(\d+) /.exec(said)?.[1];
      if (said.includes("is ready") && grpcPort !== undefined && httpPort !== undefined) {
        resolve({ grpcPort: Number(grpcPort), httpPort: Number(httpPort) });
      }
    });
    child.once("close", (code) => {
      void readFile(logFile, "utf8").then((log) => {
        const last = (said + log)
          .trimEnd()
          .split("\n")
          .filter((line) => !/^\s+at /.test(line))
          .slice(-8)
          .join(" | ");
        reject(new Error(`the service ended with ${code} instead of starting: ${last}`));
      });
    });
  });
}

/** Whoever holds the folder: under strace the child is strace itself. */
async function lockHolder(dataDir: string): Promise<number> {
  return Number(await readFile(join(dataDir, "lock.pid"), "utf8"));
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function ended(child: ChildProcess): Promise<void> {
  if (!hasEnded(child)) await new Promise((resolve) => child.once("exit", resolve));
}
