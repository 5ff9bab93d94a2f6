import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import pg from "pg";
import type { Logger } from "pino";
import { type Connection, type SessionLimits, sessionOptions, sqlState } from "../db/pool.ts";

/**
 * One database connection for a lane's commits. Statements are sent without waiting for the answers of
 * those before, and the server runs them one after another: it never waits for this process between
 * two batches, and the order stays.
 */
export type Writer = {
  /** Runs statements on the connection, made anew when there is none. Rejects when it is lost. */
  run<T>(use: (client: pg.Client) => Promise<T>): Promise<T>;
  /** Gives the connection up, with everything under way on it: what became of that is then unknown. */
  abandon(): void;
  close(): Promise<void>;
};

type Connected = { readonly client: pg.Client; readonly socket: Duplex };

export function createWriter(options: {
  readonly connection: Connection;
  readonly name: string;
  readonly limits: SessionLimits;
  readonly log: Logger;
}): Writer {
  let current: Promise<Connected> | undefined;

  function connect(): Promise<Connected> {
    const socket = options.connection.stream?.() ?? new Socket();
    const client = new pg.Client({
      ...options.connection,
      application_name: `governance ${options.name}`,
      connectionTimeoutMillis: options.limits.connectTimeoutMs,
      options: sessionOptions(options.limits),
      pipeline: true,
      stream: () => socket,
    });
    const connected = client.connect().then(() => ({ client, socket }));
    const forget = () => {
      if (current === connected) current = undefined;
    };
    client.on("error", (cause) => {
      options.log.warn({ connection: options.name, code: sqlState(cause) }, "database connection lost");
      forget();
    });
    client.on("end", forget);
    connected.catch(forget);
    current = connected;
    return connected;
  }

  return {
    async run(use) {
      const { client } = await (current ?? connect());
      return use(client);
    },
    abandon() {
      const given = current;
      current = undefined;
      // Destroyed rather than ended: a server that does not answer would not answer the goodbye either.
      given?.then(
        ({ socket }) => socket.destroy(),
        () => undefined,
      );
    },
    async close() {
      const given = current;
      current = undefined;
      await given?.then(
        ({ client }) => client.end(),
        () => undefined,
      );
    },
  };
}
