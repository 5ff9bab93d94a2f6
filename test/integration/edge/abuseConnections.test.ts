import { execFileSync } from "node:child_process";
import net from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Abused, megabyte, startAbused, stopped } from "./abuse.ts";
import { callHttp } from "./raw.ts";

let service: Abused;
beforeAll(async () => {
  service = await startAbused();
});
afterAll(() => service[Symbol.asyncDispose]());

/** What this process may open: node raises it to what the system allows, and the rest of the test needs some too. */
const openFiles =
  Number(execFileSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" })) || Number.POSITIVE_INFINITY;
const most = Math.min(10_000, openFiles - 500);

async function openIdle(port: number, first: string, into: net.Socket[]): Promise<void> {
  while (into.length < most) {
    const some = Array.from({ length: 100 }, () => net.connect(port, "127.0.0.1"));
    into.push(...some);
    await Promise.all(
      some.map(
        (socket) =>
          new Promise<void>((resolve) => {
            socket.on("error", () => resolve());
            socket.once("connect", () => {
              socket.write(first);
              socket.resume();
              resolve();
            });
          }),
      ),
    );
  }
}

/** node:http2 holds about 50 KiB for a session. */
const mayGrowBytes = 5_000 * (megabyte / 16);

const begunHttp2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

test.each([
  ["gRPC", () => service.grpcPort, begunHttp2],
  ["HTTP", () => service.httpPort, "POST / HTTP/1.1\r\n"],
])(
  "of 10,000 idle connections over %s 5,000 stay; the neighbours keep theirs",
  { timeout: 120_000 },
  async (_, port, first) => {
    const all: net.Socket[] = [];
    let kept = 0;
    const open = () => all.filter((socket) => !socket.closed).length;
    await service.withstand(async (signal, inPlace) => {
      await openIdle(port(), first, all);
      await expect.poll(open, { timeout: 20_000 }).toBeLessThanOrEqual(5000);
      kept = open();
      inPlace();
      await stopped(signal);
    }, mayGrowBytes);
    expect(kept).toBeGreaterThan(0);
    // Whoever comes now is served as well.
    expect((await callHttp(service.httpPort, "/healthz", { method: "GET" })).status).toBe(200);
    for (const socket of all) socket.destroy();
  },
);
