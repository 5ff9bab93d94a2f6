import net from "node:net";

/** What the network between service and Postgres does. */
export type Weather =
  | { readonly kind: "fair" }
  /** Connections are cut, and new ones refused. */
  | { readonly kind: "cut" }
  /** Bytes vanish in both directions, and no connection notices. */
  | { readonly kind: "blackhole" }
  /** Postgres' side is gone and the service is not told; new connections are taken and hear nothing. */
  | { readonly kind: "half-open" }
  | { readonly kind: "latency"; readonly ms: number }
  /** So many bytes a second come back. */
  | { readonly kind: "trickle"; readonly bytesPerSecond: number }
  /** The next answer to anybody who is past the handshake is thrown away, and the connection with it. */
  | { readonly kind: "answers-lost" }
  /** Every new connection hears 57P03, as from a server that recovers; those that were open are cut. */
  | { readonly kind: "starting-up" };

/** A TCP relay in front of a Postgres socket. */
export type Network = AsyncDisposable & {
  through(url: string): string;
  change(weather: Weather): void;
  /** Resolves when the service next says the text to Postgres: the name of a statement, for one. */
  says(text: string): Promise<void>;
  /** Answers thrown away so far. */
  readonly lost: number;
};

type Pair = { readonly client: net.Socket; readonly upstream: net.Socket; ready: boolean };

export async function startNetwork(socket: () => string | undefined): Promise<Network> {
  const pairs = new Set<Pair>();
  const unanswered = new Set<net.Socket>();
  let weather: Weather = { kind: "fair" };
  let lost = 0;
  const listening = new Set<{ readonly text: string; readonly heard: () => void }>();

  const server = net.createServer({ allowHalfOpen: false }, (client) => {
    client.on("error", () => client.destroy());
    client.setNoDelay(true);
    if (weather.kind === "starting-up") {
      client.once("data", () => client.end(startingUp));
      return;
    }
    const path = socket();
    if (weather.kind === "cut" || path === undefined) {
      client.resetAndDestroy();
      return;
    }
    if (weather.kind === "blackhole" || weather.kind === "half-open") {
      unanswered.add(client);
      client.on("data", () => undefined);
      client.on("close", () => unanswered.delete(client));
      return;
    }
    pass(client, net.connect({ path }));
  });

  function pass(client: net.Socket, upstream: net.Socket): void {
    const pair: Pair = { client, upstream, ready: false };
    pairs.add(pair);
    const toServer = createWay();
    const toClient = createWay();
    const drop = () => {
      // Half-open: the service's side is not told that the other has gone.
      if (weather.kind === "half-open" || weather.kind === "blackhole") return;
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const side of [client, upstream]) {
      side.on("error", drop);
      side.on("close", drop);
    }
    client.on("data", (bytes) => {
      if (weather.kind === "blackhole" || weather.kind === "half-open") return;
      toServer(() => upstream.write(bytes));
      for (const each of listening) {
        if (!bytes.includes(each.text)) continue;
        listening.delete(each);
        each.heard();
      }
    });
    upstream.on("data", (bytes) => {
      if (weather.kind === "blackhole" || weather.kind === "half-open") return;
      if (weather.kind === "answers-lost" && pair.ready) {
        lost++;
        drop();
        return;
      }
      // ReadyForQuery: what comes from now on answers statements.
      if (bytes.includes(readyForQuery)) pair.ready = true;
      if (weather.kind === "trickle") {
        const { bytesPerSecond } = weather;
        toClient(() => trickle(upstream, client, bytes, bytesPerSecond));
        return;
      }
      toClient(() => client.write(bytes));
    });
  }

  /** Writes behind everything that is still on its way in that direction: bytes never overtake each other. */
  function createWay(): (write: () => void) => void {
    const queue: (() => void)[] = [];
    let lastAtMs = 0;
    return (write) => {
      const nowMs = performance.now();
      const atMs = Math.max(lastAtMs, nowMs + (weather.kind === "latency" ? weather.ms : 0));
      lastAtMs = atMs;
      if (queue.length === 0 && atMs <= nowMs) return write();
      queue.push(write);
      // Whichever timer comes first writes what has waited longest.
      setTimeout(() => queue.shift()?.(), Math.max(0, atMs - nowMs));
    };
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");

  function cutAll(): void {
    for (const { client, upstream } of [...pairs]) for (const side of [client, upstream]) side.destroy();
    pairs.clear();
    for (const client of unanswered) client.destroy();
  }

  return {
    through(url) {
      const { username, password, pathname } = new URL(url);
      return `postgresql://${username}:${password}@127.0.0.1:${address.port}${pathname}`;
    },
    change(to) {
      const was = weather;
      weather = to;
      if (to.kind === "cut" || to.kind === "starting-up") cutAll();
      if (to.kind === "half-open") for (const { upstream } of pairs) upstream.destroy();
      // What was said into a black hole is lost, so whoever said it is told once packets flow again: as TCP would.
      if (was.kind === "blackhole" || was.kind === "half-open") cutAll();
    },
    says: (text) => new Promise((heard) => listening.add({ text, heard })),
    get lost() {
      return lost;
    },
    async [Symbol.asyncDispose]() {
      cutAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5]);

/** ErrorResponse: FATAL 57P03. */
const startingUp = errorResponse("SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0");

function errorResponse(fields: string): Buffer {
  const body = Buffer.from(`${fields}\0`);
  const head = Buffer.from([0x45, 0, 0, 0, 0]);
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** Passes the bytes in drops, and takes no more until they are through. */
function trickle(from: net.Socket, to: net.Socket, bytes: Buffer, bytesPerSecond: number): void {
  from.pause();
  const everyMs = 20;
  const drop = Math.max(1, Math.floor((bytesPerSecond * everyMs) / 1000));
  let at = 0;
  const timer = setInterval(() => {
    if (to.destroyed || from.destroyed) {
      clearInterval(timer);
      return;
    }
    to.write(bytes.subarray(at, at + drop));
    at += drop;
    if (at < bytes.length) return;
    clearInterval(timer);
    from.resume();
  }, everyMs);
}
