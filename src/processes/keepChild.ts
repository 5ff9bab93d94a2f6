import cluster, { type Worker } from "node:cluster";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { isToSupervisor, type Said, type Serve, type ToChild } from "./messages.ts";

/** Pauses before it is started again; the last one stays. */
const pausesMs = [0, 500, 1_000, 2_000, 4_000, 8_000];
/** One that ran for as long is started again at once. */
const steadyMs = 30_000;

/** One of the processes, started again when it ends by itself. */
export type Child = {
  readonly process: number;
  /** Whether it serves. */
  readonly isReady: () => boolean;
  /** False: there is nobody to send it to. */
  send(message: ToChild): boolean;
  /** It is not started again. One that serves is asked to end, and made to after withinMs. */
  stop(withinMs: number): Promise<void>;
  /** At once. */
  kill(): void;
};

/** How a process ended, and what it said before. */
export type ChildEnd = { readonly how: string; readonly why: string | undefined };

/** Forks the process and keeps it. */
export function keepChild(options: {
  readonly process: number;
  /** Beside the environment of this process. */
  readonly env: Readonly<Record<string, string>>;
  readonly serve: Serve;
  readonly onMessage: (message: Said, child: Child) => void;
  /** Called when it has ended by itself: whether it is started again. */
  readonly isKept: (end: ChildEnd) => boolean;
  readonly log: Logger;
}): Child {
  const { serve, onMessage, isKept, log } = options;
  const stopping = new AbortController();
  let worker: Worker | undefined;
  let isReady = false;

  const child: Child = {
    process: options.process,
    isReady: () => isReady,
    send,
    async stop(withinMs) {
      stopping.abort();
      if (isReady) send({ kind: "stop" });
      else child.kill(); // It serves nobody yet.
      const timer = setTimeout(child.kill, withinMs);
      await keeping;
      clearTimeout(timer);
    },
    kill: () => void worker?.process.kill("SIGKILL"),
  };

  function send(message: ToChild): boolean {
    if (worker === undefined || !worker.isConnected()) return false;
    // It may end meanwhile, which is noticed by its end.
    worker.process.send(message, undefined, undefined, () => undefined);
    return true;
  }

  /** Runs the process once; resolves with its end. */
  function run(): Promise<ChildEnd> {
    return new Promise((resolve) => {
      let why: string | undefined;
      const end = (how: string) => {
        worker = undefined;
        isReady = false;
        resolve({ how, why });
      };
      try {
        worker = cluster.fork(options.env);
      } catch (cause) {
        return end(messageOf(cause)); // No room for another process.
      }
      worker.on("message", (message: unknown) => {
        if (!isToSupervisor(message)) return;
        if (message.kind === "failed") {
          why = message.why;
          return;
        }
        if (message.kind === "ready") isReady = true;
        onMessage(message, child);
      });
      const { pid } = worker.process;
      worker.on("error", (cause) => {
        if (pid === undefined) end(messageOf(cause)); // It was never there. Else its end tells.
      });
      worker.on("exit", (code, signal) => end(signal ?? `exit code ${code}`));
      send(serve);
    });
  }

  async function keep(): Promise<void> {
    for (let short = 0; ; short++) {
      const startedMs = performance.now();
      const end = await run();
      if (stopping.signal.aborted || !isKept(end)) return;
      if (performance.now() - startedMs >= steadyMs) short = 0;
      const pauseMs = pausesMs[Math.min(short, pausesMs.length - 1)];
      log.error(
        { process: child.process, ...end, pauseMs },
        "a process ended by itself; it is started again",
      );
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
    }
  }

  const keeping = keep();
  return child;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
