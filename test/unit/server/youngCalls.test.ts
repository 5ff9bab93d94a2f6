import { once } from "node:events";
import { connect, createServer, type Http2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { replaceTables } from "../../../src/server/youngCalls.ts";

/** A server whose sessions the caller changes, and a client's session. */
async function serving(onSession: (session: Http2Session) => void) {
  const server = createServer();
  const sessions: Http2Session[] = [];
  server.on("session", (session) => {
    sessions.push(session);
    onSession(session);
  });
  server.on("stream", (stream, headers) => {
    if (headers[":path"] === "/open") return;
    stream.respond({ ":status": 200 });
    stream.end("answer");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect(`http://127.0.0.1:${port}`);
  onSession(client); // It has such tables too.
  return {
    client,
    sessions,
    async [Symbol.asyncDispose]() {
      client.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function call(client: ReturnType<typeof connect>): Promise<void> {
  const stream = client.request({ ":path": "/" });
  stream.resume();
  await once(stream, "close");
}

test("the sessions of this Node have the tables that are replaced", async () => {
  const replaced: boolean[] = [];
  await using served = await serving((session) => replaced.push(replaceTables(session)));
  await call(served.client);
  expect(replaced).toEqual([true, true]);
});

test("a session goes on as before, and ends its streams with it", async () => {
  await using served = await serving(replaceTables);
  await Promise.all(Array.from({ length: 100 }, () => call(served.client)));
  const open = served.client.request({ ":path": "/open" });
  open.on("error", () => undefined);
  await call(served.client);
  served.sessions[0]?.destroy();
  await once(open, "close");
  expect(open.destroyed).toBe(true);
});
