import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type Connection, connectTo } from "polytraders-governance-client";

export const address = setting("GOVERNANCE_GRPC_ADDR");
export const httpAddress = setting("GOVERNANCE_HTTP_ADDR");
export const botToken = setting("GOVERNANCE_TOKEN");
export const complianceToken = setting("GOVERNANCE_COMPLIANCE_TOKEN");
export const userToken = setting("GOVERNANCE_USER_TOKEN");
/** With the roles bot and compliance, as the guide has its reader make one. */
export const guideToken = setting("GOVERNANCE_GUIDE_TOKEN");

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set; run the tests with run.mjs`);
  return value;
}

const connections: Connection[] = [];
const folders: string[] = [];
after(async () => {
  for (const connection of connections) connection.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

/** A connection that is closed with the file's last test. */
export function connect(to = address, token = botToken, ...interceptors: Interceptor[]): Connection {
  const connection = connectTo(to, { token, interceptors });
  connections.push(connection);
  return connection;
}

/** Generous: machines are slow and busy. */
export const within = (ms = 60_000) => ({ signal: AbortSignal.timeout(ms) });

export async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (const until = Date.now() + 60_000; Date.now() < until; await sleep(50)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error("it did not come within a minute");
}

/** A folder that is removed behind the file's last test: what is open in it is closed by then. */
export async function folderOf(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "governance-ts-"));
  folders.push(folder);
  return join(folder, "governance");
}

/** A proxy that can be cut, shut and stalled. */
export type Wire = {
  readonly address: string;
  /** Ends all connections; new ones are taken. */
  cut(): void;
  /** Cuts, and takes no new connection until it is opened. */
  shut(isShut: boolean): void;
  /** Keeps connections and passes nothing until the function it returns is called. */
  stall(): () => void;
};

export async function wireTo(t: TestContext, target = address): Promise<Wire> {
  const open = new Set<Socket>();
  let isShut = false;
  const [host = "", port = ""] = target.split(":");
  const server = createServer((near) => {
    if (isShut) {
      near.destroy();
      return;
    }
    const far = connectSocket(Number(port), host);
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        open.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  t.after(() => {
    server.close();
    cut();
  });
  return {
    address: addressOf(server.address()),
    cut,
    shut(shut) {
      isShut = shut;
      if (shut) cut();
    },
    stall() {
      const held = [...open];
      for (const socket of held) socket.pause();
      return () => {
        for (const socket of held) socket.resume();
      };
    },
  };
}

function addressOf(at: AddressInfo | string | null): string {
  if (at === null || typeof at === "string") throw new Error("no port");
  return `127.0.0.1:${at.port}`;
}

/** A service of the test's own. */
export async function serve(t: TestContext, routes: (router: ConnectRouter) => void): Promise<string> {
  const server = createHttp2Server(connectNodeAdapter({ routes }));
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const session of sessions) session.destroy();
  });
  return addressOf(server.address());
}

/** child.js in a process of its own, to be killed; each line it prints is a promise. */
export type Child = { line(): Promise<string>; kill(): Promise<void> };

export function startChild(t: TestContext, ...args: string[]): Child {
  const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, "child.js"), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (child.stdout === null) throw new Error("no output");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = once(child, "exit");
  t.after(() => child.kill("SIGKILL"));
  return {
    async line() {
      const { value, done } = await lines.next();
      if (done) throw new Error("the child ended");
      return value;
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

export const wallet = "0xDeadBeef00000000000000000000000000000001";

export const actionOf = (session: string, number: number) => ({
  eventId: `${session}-${number}`,
  wallet,
  sessionId: session,
  actionType: "STRATEGY_START",
  traceId: `${session}-${number}`,
  sessionSeq: BigInt(number),
});

export const reportOf = (session: string, number: number) => ({
  tradeId: `${session}-${number}`,
  orderId: "0x9a41",
  traceId: `${session}-${number}`,
  status: "TRADE_STATUS_MATCHED",
  market: session,
  size: "1137.190000000000000001",
  price: "0.914483",
});

/** A write that needs no ticket, of a bot of its own. */
export const change = () => ({
  botSlug: `ts.${randomUUID()}`,
  paramName: "tick_ms",
  editorId: "alice@polytraders",
  oldValueJson: "250",
  newValueJson: "500.000000000000000000001",
});
