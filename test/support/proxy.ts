import net from "node:net";
import { testCluster } from "./cluster.ts";

/** A TCP relay in front of the cluster, so that a test can break the network and nothing else. */
export type DatabaseProxy = AsyncDisposable & {
  /** The URL, leading through the relay. */
  through(url: string): string;
  /** Bytes stay where they are, in both directions; new connections are taken and hear nothing. */
  freeze(): void;
  /** What is sent arrives, and no answer comes back. */
  deafen(): void;
  /** Lets everything flow again. */
  thaw(): void;
  /** Cuts all connections and refuses new ones. */
  cut(): void;
  /** Cuts all connections and answers new ones what a Postgres says while it starts up or recovers (57P03). */
  startUp(): void;
  /** Takes connections again after a cut, or passes them on after a start-up. */
  mend(): void;
};

export async function startDatabaseProxy(): Promise<DatabaseProxy> {
  const { host, port } = testCluster();
  const target = host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port };
  const sockets = new Set<net.Socket>();
  const upstreams = new Set<net.Socket>();
  let frozen = false;
  let isCut = false;
  let isStartingUp = false;

  const server = net.createServer({ pauseOnConnect: true }, (client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    if (isStartingUp) {
      client.on("error", () => undefined);
      client.once("data", () => client.end(startingUp)).resume();
      return;
    }
    const upstream = net.connect(target);
    upstreams.add(upstream);
    upstream.on("close", () => upstreams.delete(upstream));
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on("data", (bytes) => other.write(bytes));
      socket.on("error", () => other.destroy()); // Its "close" follows and is all that matters.
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      if (frozen) socket.pause();
      else socket.resume();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");

  function cutAll(): void {
    for (const socket of sockets) socket.destroy();
  }

  return {
    through(url) {
      const { username, password, pathname } = new URL(url);
      return `postgresql://${username}:${password}@127.0.0.1:${address.port}${pathname}`;
    },
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    deafen() {
      for (const upstream of upstreams) upstream.pause();
    },
    thaw() {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    cut() {
      isCut = true;
      cutAll();
    },
    startUp() {
      isStartingUp = true;
      cutAll();
    },
    mend() {
      isCut = false;
      isStartingUp = false;
    },
    async [Symbol.asyncDispose]() {
      cutAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** The ErrorResponse of a server that takes no sessions yet. */
const startingUp = (() => {
  const fields = "SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
  const head = Buffer.from("E\0\0\0\0", "latin1");
  head.writeInt32BE(4 + fields.length, 1);
  return Buffer.concat([head, Buffer.from(fields, "latin1")]);
})();
