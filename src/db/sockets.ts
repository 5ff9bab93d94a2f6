import { Socket } from "node:net";
import pg from "pg";
import type { Connection } from "./pool.ts";

/** The sockets to the database: who may have one when, and the way to end them all. */
export type Sockets = {
  /** The connection over sockets of this set, at once. */
  tracked(connection: Connection): Connection;
  /** The same, but refused until `admit` was called: nothing is read or written before the checks. */
  gated(connection: Connection): Connection;
  admit(): void;
  /** Ends all connections, though the database may not answer, and refuses new ones. */
  cut(): void;
};

export function createSockets(): Sockets {
  const open = new Set<Socket>();
  let isAdmitted = false;
  let isCut = false;

  function socket(isRefused: () => boolean): Socket {
    const made = new Socket();
    if (isCut || isRefused()) {
      made.connect = () => made.destroy(new NotReady());
      return made;
    }
    open.add(made);
    made.once("close", () => open.delete(made));
    return made;
  }

  return {
    tracked: (connection) => ({ ...connection, stream: () => socket(() => false) }),
    gated: (connection) => ({ ...connection, stream: () => socket(() => !isAdmitted) }),
    admit() {
      isAdmitted = true;
    },
    cut() {
      isCut = true;
      for (const each of open) each.destroy(new NotReady());
    },
  };
}

/** The code of connections that were not to be made, or ended because the service stops. */
export const notReady = "NOT_READY";

/** To whoever asks, the same as a database that is away. */
class NotReady extends Error {
  readonly code = notReady;

  constructor() {
    super("the database is not to be used now");
  }
}

/** One session that is ended without a goodbye: a server that does not answer would not answer that either. */
export type Session = { readonly client: pg.Client; destroy(): void };

/** Connects, or rejects within `withinMs`. Its queries reject after `queryMs`. */
export async function openSession(
  connection: Connection,
  options: {
    readonly name: string;
    readonly withinMs: number;
    readonly queryMs: number;
    readonly settings?: string;
  },
): Promise<Session> {
  const { name, withinMs, queryMs, settings = "-c timezone=UTC" } = options;
  const socket = connection.stream?.() ?? new Socket();
  const client = new pg.Client({
    ...connection,
    stream: () => socket,
    application_name: `governance ${name}`,
    connectionTimeoutMillis: withinMs,
    query_timeout: queryMs,
    options: settings,
    keepAlive: true,
  });
  client.on("error", () => undefined); // The pending query fails with it.
  const destroy = () => void socket.destroy();
  try {
    await client.connect();
  } catch (cause) {
    destroy();
    throw cause;
  }
  return { client, destroy };
}
