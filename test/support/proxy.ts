import net from "node:net";
import { inject } from "vitest";

/** A TCP relay in front of the cluster, so that a test can break the network and nothing else. */
export type DatabaseProxy = AsyncDisposable & {
  /** The URL, leading through the relay. */
  through(url: string): string;
  /** Bytes stay where they are, in both directions; new connections are taken and hear nothing. */
  freeze(): void;
  /** Lets everything flow again. */
  thaw(): void;
  /** Cuts all connections and refuses new ones. */
  cut(): void;
  /** Takes connections again after a cut. */
  mend(): void;
};

export async function startDatabaseProxy(): Promise<DatabaseProxy> {
  const { host, port } = inject("cluster");
  const target = host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port };
  const sockets = new Set<net.Socket>();
  let frozen = false;
  let isCut = false;

  const server = net.createServer({ pauseOnConnect: true }, (client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const upstream = net.connect(target);
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
    thaw() {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    cut() {
      isCut = true;
      cutAll();
    },
    mend() {
      isCut = false;
    },
    async [Symbol.asyncDispose]() {
      cutAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
