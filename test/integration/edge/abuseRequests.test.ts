import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { connectRaw, flag, frame, frameType, grpcHeaders } from "../../support/rawHttp2.ts";
import { type Abused, megabyte, startAbused, stopped } from "./abuse.ts";
import { callHttp, envelope, pathOf, readJsonError } from "./raw.ts";

const record = pathOf(UserActivityLedgerService.method.recordUserAction);

/** What requests that have not come whole may hold, and the copies that reading makes of it. */
const arrivingMaxBytes = (128 + 128) * megabyte;

let service: Abused;
beforeAll(async () => {
  service = await startAbused();
});
afterAll(() => service[Symbol.asyncDispose]());

function openSession(): http2.ClientHttp2Session {
  const session = http2.connect(`http://127.0.0.1:${service.grpcPort}`);
  session.on("error", () => undefined); // What a call sees is asserted on its stream.
  return session;
}

function begin(session: http2.ClientHttp2Session, path: string, headers: http2.OutgoingHttpHeaders = {}) {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => undefined); // Its "close" follows.
  return stream;
}

async function connections(count: number, port: number): Promise<net.Socket[]> {
  const sockets = Array.from({ length: count }, () => net.connect(port, "127.0.0.1"));
  for (const socket of sockets) socket.on("error", () => undefined); // It is closed then.
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  return sockets;
}

const bomb = gzipSync(Buffer.alloc(256 * megabyte), { level: 9 });

describe("over gRPC the neighbours do not notice", { timeout: 120_000 }, () => {
  test("450 MB of requests that never come whole: what is more than 128 MiB is refused", async () => {
    const refusedWith = new Set<number | undefined>();
    let refused = 0;
    const head = envelope("");
    head.writeUInt32BE(4 * megabyte, 1);
    const threeQuarters = Buffer.concat([head, Buffer.alloc(3 * megabyte)]);
    await service.withstand(async (signal, inPlace) => {
      const sessions = Array.from({ length: 3 }, openSession);
      for (const session of sessions) {
        for (let i = 0; i < 50; i++) {
          const stream = begin(session, "/grpc.health.v1.Health/Check");
          stream.on("close", () => {
            if (signal.aborted) return;
            refusedWith.add(stream.rstCode);
            refused++;
          });
          stream.write(threeQuarters);
        }
      }
      inPlace();
      await stopped(signal);
      for (const session of sessions) session.destroy();
    }, arrivingMaxBytes);
    expect([...refusedWith]).toEqual([http2.constants.NGHTTP2_ENHANCE_YOUR_CALM]);
    expect(refused).toBeGreaterThan(0);
  });

  test("bombs of gzip, one after the other: each is RESOURCE_EXHAUSTED", async () => {
    const statuses = new Set<unknown>();
    await service.withstand(async (signal, inPlace) => {
      const session = openSession();
      inPlace();
      while (!signal.aborted) {
        const stream = begin(session, record, { "grpc-encoding": "gzip" });
        stream.on("response", (headers) => statuses.add(headers["grpc-status"]));
        stream.end(envelope(bomb, 1));
        stream.resume();
        await once(stream, "close");
      }
      session.destroy();
    }, 64 * megabyte);
    expect([...statuses]).toEqual(["8"]);
  });

  test("10,000 streams on which nothing comes", async () => {
    const headers = grpcHeaders(record, { authorization: "Bearer nobody" });
    const opened = Array.from({ length: 200 }, (_, i) =>
      frame(frameType.headers, flag.endHeaders, 2 * i + 1, headers),
    );
    await service.withstand(async (signal, inPlace) => {
      const all = await Promise.all(Array.from({ length: 50 }, () => connectRaw(service.grpcPort)));
      for (const one of all) await one.send(Buffer.concat(opened));
      inPlace();
      await stopped(signal);
      expect(all.filter((one) => one.socket.destroyed)).toEqual([]);
      for (const one of all) one.socket.destroy();
    }, 128 * megabyte);
  });

  test("headers that come a byte at a time", async () => {
    const bytes = frame(frameType.headers, flag.endHeaders, 1, grpcHeaders(record));
    await service.withstand(async (signal, inPlace) => {
      const all = await Promise.all(Array.from({ length: 300 }, () => connectRaw(service.grpcPort)));
      inPlace();
      for (let at = 0; !signal.aborted; at = (at + 1) % bytes.length) {
        for (const one of all) await one.send(bytes.subarray(at, at + 1));
        await sleep(100);
      }
      for (const one of all) one.socket.destroy();
    }, 64 * megabyte);
  });
});

describe("over HTTP the neighbours do not notice", { timeout: 120_000 }, () => {
  test("headers that come a byte at a time", async () => {
    const text = `POST ${record} HTTP/1.1\r\nhost: a\r\nx: ${"x".repeat(1000)}`;
    await service.withstand(async (signal, inPlace) => {
      const all = await connections(300, service.httpPort);
      inPlace();
      for (let at = 0; !signal.aborted; at++) {
        for (const socket of all) socket.write(text.slice(at, at + 1));
        await sleep(100);
      }
      for (const socket of all) socket.destroy();
    }, 64 * megabyte);
  });

  test("600 MB of bodies that never come whole: what is more than 128 MiB is refused", async () => {
    const head = `POST ${record} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${service.token}\r\ncontent-type: application/json\r\ncontent-length: ${4 * megabyte}\r\n\r\n`;
    const body = Buffer.alloc(3 * megabyte, "x");
    const answers: string[] = [];
    await service.withstand(async (signal, inPlace) => {
      const all = await connections(200, service.httpPort);
      for (const socket of all) {
        socket.once("data", (bytes) => answers.push(bytes.toString()));
        socket.write(head);
        socket.write(body);
      }
      inPlace();
      await stopped(signal);
      for (const socket of all) socket.destroy();
    }, arrivingMaxBytes);
    expect(answers.length).toBeGreaterThan(0);
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 429 /);
  });

  test("bombs of gzip, one after the other: each is RESOURCE_EXHAUSTED", async () => {
    const codes = new Set<string>();
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    await service.withstand(async (signal, inPlace) => {
      inPlace();
      while (!signal.aborted) {
        const { token } = service;
        const answer = await callHttp(service.httpPort, record, { token, headers, body: bomb });
        codes.add(readJsonError(answer.body.toString()).code);
      }
    }, 64 * megabyte);
    expect([...codes]).toEqual(["resource_exhausted"]);
  });

  test("requests sent before the answers to others are read: the connection is cut off", async () => {
    const requests = "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n".repeat(1000);
    await service.withstand(async (signal, inPlace) => {
      const all = await connections(20, service.httpPort);
      for (const socket of all) {
        socket.resume();
        socket.write(requests);
      }
      await Promise.all(all.map((socket) => socket.closed || once(socket, "close")));
      inPlace();
      await stopped(signal);
    }, 64 * megabyte);
  });

  test("HTTP/2 where HTTP/1.1 is spoken", async () => {
    const answers = new Set<string>();
    await service.withstand(async (signal, inPlace) => {
      inPlace();
      while (!signal.aborted) {
        const connection = await connectRaw(service.httpPort);
        connection.socket.on("data", (bytes) => answers.add(bytes.toString().split("\r\n")[0] ?? ""));
        await connection.closed;
      }
    }, 64 * megabyte);
    expect([...answers]).toEqual(["HTTP/1.1 400 Bad Request"]);
  });
});
