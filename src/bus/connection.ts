import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import type { ConnectionOptions, MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import type { Logger } from "pino";
import type { BusSettings } from "./settings.ts";

/** One unbroken connection to the bus. */
export type Link = {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly newHeaders: () => MsgHdrs;
  readonly maxPayloadBytes: number;
  /** Aborted when the connection is lost. */
  readonly ended: AbortSignal;
};

export type BusConnection = AsyncDisposable & {
  /** Undefined while the bus is away. */
  link(): Link | undefined;
};

const retryMs = 500;
const connectWithinMs = 2_000;
/** A request to the bus; those under way when it restarts are only known to be lost by this. */
export const requestWithinMs = 2_000;
/** A connection that says nothing for two of them is given up. */
const pingEveryMs = 5_000;

/**
 * Connects, and connects again whenever the connection is lost. The client's own way of going on over a reconnect is
 * not used: whoever reads or writes begins again from what is in Postgres, which is also right after a crash.
 */
export function keepConnected(settings: BusSettings, log: Logger): BusConnection {
  const closing = new AbortController();
  let current: Link | undefined;
  let connection: NatsConnection | undefined;
  let isConnecting = false;
  let told: string | undefined;

  async function period(client: Client): Promise<void> {
    isConnecting = true;
    try {
      connection = await client.connect(optionsOf(settings, client));
    } finally {
      isConnecting = false;
    }
    if (closing.signal.aborted) return connection.close();
    const ended = new AbortController();
    const timeout = { timeout: requestWithinMs };
    try {
      current = {
        js: client.jetstream(connection, timeout),
        jsm: await client.jetstreamManager(connection, { ...timeout, checkAPI: false }),
        newHeaders: client.headers,
        maxPayloadBytes: connection.info?.max_payload ?? 1024 * 1024,
        ended: ended.signal,
      };
      log.info({ server: connection.getServer() }, "connected to the bus");
      told = undefined;
      const cause = await connection.closed();
      if (!closing.signal.aborted) log.warn({ why: cause?.message }, "the connection to the bus was lost");
    } finally {
      current = undefined;
      ended.abort(new Error("the connection to the bus was lost"));
    }
  }

  async function run(): Promise<void> {
    const client = await loadClient();
    while (!closing.signal.aborted) {
      try {
        await period(client);
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : "unknown";
        if (why !== told) log.warn({ why }, "the bus cannot be reached; trying on");
        told = why;
      }
      await sleep(retryMs, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
    }
  }

  const running = run();
  return {
    link: () => current,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await connection?.close();
      // A server that says nothing would be waited for; one that answers after all is left at once.
      if (!isConnecting) await running;
    },
  };
}

type Client = Awaited<ReturnType<typeof loadClient>>;

/** The one place that loads the client: a service without a bus does without it. */
async function loadClient() {
  const [{ connect, credsAuthenticator, headers }, { jetstream, jetstreamManager }] = await Promise.all([
    import("@nats-io/transport-node"),
    import("@nats-io/jetstream"),
  ]);
  return { connect, credsAuthenticator, headers, jetstream, jetstreamManager };
}

function optionsOf(settings: BusSettings, client: Client): ConnectionOptions {
  const { credentialsFile, tls } = settings;
  return {
    servers: [...settings.servers],
    name: "governance",
    reconnect: false,
    timeout: connectWithinMs,
    pingInterval: pingEveryMs,
    maxPingOut: 2,
    ...(credentialsFile === undefined
      ? {}
      : { authenticator: client.credsAuthenticator(() => readFileSync(credentialsFile)) }),
    ...(tls === undefined
      ? {}
      : {
          tls: {
            ...(tls.caFile === undefined ? {} : { caFile: tls.caFile }),
            ...(tls.certFile === undefined ? {} : { certFile: tls.certFile }),
            ...(tls.keyFile === undefined ? {} : { keyFile: tls.keyFile }),
          },
        }),
  };
}
