import cluster from "node:cluster";
import type { Registry } from "prom-client";
import { type Config, loadConfig } from "../config.ts";
import { createLog } from "../logging.ts";
import { startService } from "../main.ts";
import { StartupError } from "../startupError.ts";
import { createQuestions, isToChild, type Serve, type ToSupervisor } from "./messages.ts";
import type { MetricsPage, Part } from "./part.ts";

/** What is run as one of several processes: a replica that its supervisor tells when to stop. */

/** Less than the supervisor takes to stop: it has an embedded Postgres to stop then. */
const shutdownMs = 8_000;
/** One that hangs while it stops ends all the same, with or without a supervisor. */
const endsAfterMs = 9_000;
/** More than the supervisor waits for the others' metrics. */
const metricsWithinMs = 2_000;

const stop = Promise.withResolvers<undefined>();
const serve = Promise.withResolvers<Serve>();
const questions = createQuestions();
let own: Registry | undefined;
let reload: (() => Promise<void>) | undefined;

process.on("message", (message: unknown) => {
  if (!isToChild(message)) return;
  switch (message.kind) {
    case "serve":
      return serve.resolve(message);
    case "stop":
      return stop.resolve(undefined);
    case "reload":
      return void reload?.();
    case "giveMetrics": {
      const { id } = message;
      return void own?.metrics().then((text) => say({ kind: "metrics", id, text }));
    }
    case "metricsOfAll":
      return questions.answered(message.id, message.text);
  }
});
// A terminal and systemd send them to all processes at once. The supervisor says what is to be done.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);

await run(await serve.promise);

async function run(message: Serve): Promise<void> {
  try {
    const config = configOf(loadConfig(process.env), message);
    const log = createLog(config.logLevel, { process: message.process });
    await using service = await startService(config, { log, part: partOf(message) });
    reload = service.reloadConfigFile;
    // node:cluster would end it at once: what was taken is answered first.
    cluster.worker?.once("disconnect", () => {
      if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
      stop.resolve(undefined);
    });
    const { grpcPort, httpPort } = service;
    say({ kind: "ready", grpcPort, httpPort, isDatabaseReady: service.isDatabaseReady() });
    const why = await Promise.race([stop.promise, service.failed]);
    setTimeout(() => process.exit(1), endsAfterMs).unref();
    if (why !== undefined) throw new StartupError(why);
  } catch (cause) {
    if (!(cause instanceof StartupError)) throw cause;
    say({ kind: "failed", why: cause.message }, () => process.exit(1));
    return;
  }
  process.exit(0);
}

/** To one of several the embedded Postgres is one that is there, and the spool's room is divided. */
function configOf(config: Config, { postgres, of }: Serve): Config {
  return {
    ...config,
    ...(postgres === undefined ? {} : { database: { kind: "external", ...postgres } }),
    spoolMaxBytes: Math.floor(config.spoolMaxBytes / of),
    limits: { ...config.limits, shutdownMs },
  };
}

function partOf({ process: number, of }: Serve): Part {
  return {
    process: number,
    of,
    metricsPage(registry): MetricsPage {
      own = registry;
      registry.setDefaultLabels({ process: String(number) });
      return {
        contentType: registry.contentType,
        async metrics() {
          const ask = (id: number) => say({ kind: "askMetrics", id });
          return (await questions.ask(ask, metricsWithinMs)) ?? registry.metrics();
        },
      };
    },
  };
}

/** The supervisor may be gone: then nobody is told. */
function say(message: ToSupervisor, then: () => void = () => undefined): void {
  if (process.connected) process.send?.(message, undefined, undefined, then);
  else then();
}
