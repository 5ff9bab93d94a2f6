import cluster from "node:cluster";
import module from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import { StartupError } from "../startupError.ts";
import { type Child, type ChildEnd, keepChild } from "./keepChild.ts";
import type { Ready, Said, Serve, ToChild } from "./messages.ts";
import { createMetricsOfAll } from "./metrics.ts";

type Started = Omit<Ready, "kind">;

/** The processes that serve. */
export type Children = {
  /** Resolves when all serve for the first time. Rejects with a StartupError when one cannot. */
  readonly ready: Promise<Started>;
  /** Resolves with the reason when one cannot go on and none is left that serves. */
  readonly failed: Promise<string>;
  sendAll(message: ToChild): void;
  stop(withinMs: number): Promise<void>;
};

/** Starts as many, and keeps them. */
export function startChildren(options: {
  readonly count: number;
  readonly postgres: Serve["postgres"];
  readonly log: Logger;
}): Children {
  const { count, postgres, log } = options;
  const ready = Promise.withResolvers<Started>();
  ready.promise.catch(() => undefined); // Whoever starts them hears of it.
  const failed = Promise.withResolvers<string>();
  let first: Started | undefined;
  let isDatabaseReady = true;

  function onMessage(message: Said, child: Child) {
    switch (message.kind) {
      case "ready":
        return onReady(message, child);
      case "metrics":
        return metrics.answered(message.id, message.text);
      case "askMetrics": {
        const { id } = message;
        void metrics.text().then((text) => child.send({ kind: "metricsOfAll", id, text }));
      }
    }
  }

  function onReady({ grpcPort, httpPort, ...said }: Ready, child: Child): void {
    if (first === undefined) {
      isDatabaseReady &&= said.isDatabaseReady;
      if (!children.every((each) => each.isReady())) return;
      first = { grpcPort, httpPort, isDatabaseReady };
      ready.resolve(first);
      return;
    }
    log.warn({ process: child.process }, "the process serves again");
    // Only where port 0 was asked for, and all processes were gone at the same time.
    if (grpcPort !== first.grpcPort || httpPort !== first.httpPort) {
      log.error({ grpcPort, httpPort }, "all processes were gone, and the ports are others now");
    }
  }

  function isKept(process: number, { how, why }: ChildEnd): boolean {
    if (first === undefined) {
      ready.reject(new StartupError(why ?? `process ${process} ended while it started (${how})`));
      return false;
    }
    // What is wrong for good would be so for all of them; while another one serves, it may be this one's alone.
    if (why !== undefined && !children.some((child) => child.isReady())) {
      failed.resolve(why);
      return false;
    }
    metrics.restarted(process);
    return true;
  }

  cluster.schedulingPolicy = cluster.SCHED_RR;
  cluster.setupPrimary({ exec: fileURLToPath(new URL("./child.ts", import.meta.url)), args: [] });
  const cache = module.getCompileCacheDir();
  const env = cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) };
  const children = Array.from({ length: count }, (_, index): Child => {
    const number = index + 1;
    return keepChild({
      process: number,
      env,
      serve: { kind: "serve", process: number, of: count, postgres },
      onMessage,
      isKept: (end) => isKept(number, end),
      log,
    });
  });
  const metrics = createMetricsOfAll(
    children.map(({ process, send }) => ({ process, ask: (id) => send({ kind: "giveMetrics", id }) })),
  );
  const killAll = () => {
    for (const child of children) child.kill();
  };
  process.on("exit", killAll); // Where it ends at once, so do they.

  return {
    ready: ready.promise,
    failed: failed.promise,
    sendAll(message) {
      for (const child of children) child.send(message);
    },
    async stop(withinMs) {
      await Promise.all(children.map((child) => child.stop(withinMs)));
      process.off("exit", killAll);
    },
  };
}
