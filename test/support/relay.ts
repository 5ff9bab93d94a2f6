import net from "node:net";

/** A TCP relay in front of a listener that breaks the way back after a number of bytes. */
export type Relay = AsyncDisposable & {
  readonly port: number;
  /** Resolves once the bytes have passed and the way is broken. */
  readonly broken: Promise<void>;
  /** Resolves once the client's side of the broken connection has ended. */
  readonly clientGone: Promise<void>;
};

/**
 * Passes `bytes` bytes from the listener to its client, then cuts both sides, or holds: the connection stays
 * and nothing comes through. Only the first connection is broken; later ones pass everything.
 */
export async function startRelay(target: number, bytes: number, then: "cut" | "hold"): Promise<Relay> {
  const broken = Promise.withResolvers<void>();
  const clientGone = Promise.withResolvers<void>();
  const sockets = new Set<net.Socket>();
  let connections = 0;

  const server = net.createServer((client) => {
    const upstream = net.connect(target, "127.0.0.1");
    const isFirst = connections++ === 0;
    let left = isFirst ? Math.ceil(bytes) : Number.POSITIVE_INFINITY;
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy()); // Its "close" follows and is all that matters.
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
        if (isFirst && socket === client) clientGone.resolve();
      });
    }
    client.on("data", (chunk) => upstream.write(chunk));
    upstream.on("data", (chunk) => {
      const passed = chunk.subarray(0, Math.min(left, chunk.length));
      left -= passed.length;
      if (left > 0) {
        if (!client.write(passed)) {
          upstream.pause();
          client.once("drain", () => upstream.resume());
        }
        return;
      }
      upstream.pause();
      client.write(passed, () => {
        if (then === "cut") for (const socket of [client, upstream]) socket.destroy();
        broken.resolve();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the relay has no port");

  return {
    port: address.port,
    broken: broken.promise,
    clientGone: clientGone.promise,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
