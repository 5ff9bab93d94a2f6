import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { createConnections } from "../../../src/server/connections.ts";

const limits = {
  connectionsPerListener: 2,
  firstCallWithinMs: 60_000,
  offencesBeforeSlow: 3,
  offenceMs: 10_000,
  slowConnectionEveryMs: 2000,
};

/** A server that keeps these limits, and connections to it, made one after the other. */
async function listening(more: Partial<typeof limits> = {}) {
  const connections = createConnections({ ...limits, ...more });
  const server = net.createServer();
  const served: net.Socket[] = [];
  server.on("connection", (socket) => served.push(socket));
  connections.guard(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    async connect() {
      const accepted = once(server, "connection");
      const socket = net.connect(port, "127.0.0.1").resume();
      const [below] = await accepted;
      return { socket, connection: connections.below(below), closed: once(socket, "close") };
    },
    served,
    [Symbol.asyncDispose]: async () => {
      for (const socket of served) socket.destroy();
      server.close();
    },
  };
}

test("one too many drives out the one unused longest, and never one with a call under way", async () => {
  await using server = await listening();
  const busy = await server.connect();
  busy.connection?.called();
  const idle = await server.connect();
  await server.connect();
  await idle.closed;
  expect(busy.socket.closed).toBe(false);
  busy.connection?.ended();
  await server.connect();
  await busy.closed;
});

test("a connection without a call is closed, one with a call stays", async () => {
  await using server = await listening({ firstCallWithinMs: 50 });
  const calling = await server.connect();
  calling.connection?.called();
  calling.connection?.ended();
  const silent = await server.connect();
  await silent.closed;
  expect(calling.socket.closed).toBe(false);
});

test("who was cut off again and again is left waiting and not served", async () => {
  await using server = await listening({ connectionsPerListener: 10 });
  const first = await server.connect();
  for (let i = 0; i < 3; i++) first.connection?.offended();
  await server.connect();
  const waiting = await server.connect();
  await waiting.closed;
  expect(server.served).toHaveLength(2);
  expect(first.socket.closed).toBe(false);
});
