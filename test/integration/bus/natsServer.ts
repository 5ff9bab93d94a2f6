import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import {
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  type StoredMsg,
} from "@nats-io/jetstream";
import { type ConnectionOptions, connect, headers, type NatsConnection } from "@nats-io/transport-node";
import { z } from "zod";
import { freePort } from "../alerts/programs.ts";
import { until } from "../alerts/receiving.ts";

const binary = "/usr/sbin/nats-server";

/** CI installs it: there the tests run, and fail without it. */
export const hasNats = existsSync(binary) || process.env.CI !== undefined;

/** A real nats-server with JetStream, whose files outlive its kills. */
export type NatsServer = AsyncDisposable & {
  /** As GOVERNANCE_NATS_SERVERS takes it. */
  readonly url: string;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on its files; resolves when it takes connections. */
  start(): Promise<void>;
};

/** `more`: options of its command line. */
export async function startNats(folder: string, more: readonly string[] = []): Promise<NatsServer> {
  const port = await freePort();
  let stop = () => Promise.resolve();

  async function start(): Promise<void> {
    const args = ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", join(folder, "nats"), ...more];
    const child = spawn(binary, args, { stdio: "ignore" });
    const ended = new Promise<void>((done) => child.once("exit", () => done()));
    stop = async () => {
      child.kill("SIGKILL");
      await ended;
    };
    await until("nats-server takes connections", () => isOpen(port));
  }

  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    kill: () => stop(),
    start,
    [Symbol.asyncDispose]: () => stop(),
  };
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    const done = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}

/** A client of the bus, of a test's own. */
export type Client = AsyncDisposable & {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** Publishes until the bus has it, however often it is killed meanwhile: a bot that does as the docs say. */
  publish(subject: string, body: string | Uint8Array, options?: Sending): Promise<void>;
  /** Everything that is in the stream, in order. */
  all(stream: string): Promise<Stored[]>;
};

export type Sending = { readonly id?: string; readonly headers?: Readonly<Record<string, string>> };

export type Stored = {
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
  readonly text: string;
};

export async function natsClient(
  server: Pick<NatsServer, "url">,
  more: ConnectionOptions = {},
): Promise<Client> {
  const connection: NatsConnection = await connect({
    ...more,
    servers: server.url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    reconnectJitter: 0,
  });
  const js = jetstream(connection, { timeout: 1_000 });
  const jsm = await jetstreamManager(connection, { timeout: 1_000, checkAPI: false });
  return {
    js,
    jsm,
    async publish(subject, body, { id, headers: more = {} } = {}) {
      const sent = headers();
      for (const [name, value] of Object.entries(more)) sent.set(name, value);
      const options = { headers: sent, ...(id === undefined ? {} : { msgID: id }) };
      await until(`the bus takes ${subject}`, () =>
        js.publish(subject, body, options).then(
          () => true,
          () => false,
        ),
      );
    },
    async all(stream) {
      const { state } = await jsm.streams.info(stream);
      const found: Stored[] = [];
      const first = Math.max(1, state.first_seq);
      for (let from = first; from <= state.last_seq; from += 100) {
        const places = Array.from({ length: Math.min(100, state.last_seq + 1 - from) }, (_, i) => from + i);
        const messages = await Promise.all(places.map((seq) => jsm.streams.getMessage(stream, { seq })));
        for (const message of messages) if (message !== null) found.push(storedOf(message));
      }
      return found;
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

function storedOf({ subject, header, data }: StoredMsg): Stored {
  const headers = Object.fromEntries(header.keys().map((name) => [name.toLowerCase(), header.get(name)]));
  return { subject, headers, data, text: new TextDecoder().decode(data) };
}

/** The check of the event stream on the ledger's health page. */
export async function healthOf(service: { readonly httpPort: number }): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${service.httpPort}/internal/health/useractivityledger`);
  return page.parse(await response.json()).checks.event_stream;
}

const page = z.object({ checks: z.object({ event_stream: z.unknown() }) });
