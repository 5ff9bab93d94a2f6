import { once } from "node:events";
import http2 from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { StreamUserActionsRequestSchema } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { connectRaw, flag, frame, frameType, grpcHeaders } from "../../support/rawHttp2.ts";
import { type Abused, megabyte, startAbused, stopped } from "./abuse.ts";
import { envelope, pathOf } from "./raw.ts";

const actions = pathOf(UserActivityLedgerService.method.streamUserActions);
const record = pathOf(UserActivityLedgerService.method.recordUserAction);

/** The heap that so many calls have at once settles there, measured over 60,000 of them; what leaks goes on. */
const growsToBytes = 256 * megabyte;

let service: Abused;
beforeAll(async () => {
  service = await startAbused();
});
afterAll(() => service[Symbol.asyncDispose]());

function opening(streamId: string): Buffer {
  const message = { case: "open", value: { streamId } } as const;
  return envelope(
    toBinary(StreamUserActionsRequestSchema, create(StreamUserActionsRequestSchema, { message })),
  );
}

const half = opening("half of it").subarray(0, 9);

/** What a stream says before its client half-closes it. */
const endings = [
  { name: "nothing", path: actions, said: [] },
  { name: "an empty DATA", path: actions, said: [Buffer.alloc(0)] },
  { name: "its opening", path: actions, said: "opening" },
  { name: "half a message", path: actions, said: [half] },
  { name: "half a message's head", path: actions, said: [half.subarray(0, 3)] },
  { name: "no request", path: record, said: [] },
  { name: "half a request", path: record, said: [half] },
] as const;

let streams = 0;

/** Opens a call and half-closes it; answers its grpc-status, or how it was reset. */
async function endAtOnce(session: http2.ClientHttp2Session, { path, said: what }: (typeof endings)[number]) {
  const said = what === "opening" ? [opening(`${++streams}`)] : what;
  const stream = session.request(
    {
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      authorization: `Bearer ${service.token}`,
    },
    { endStream: said.length === 0 },
  );
  let status: unknown;
  const read = (headers: http2.IncomingHttpHeaders) => {
    status ??= headers["grpc-status"];
  };
  stream.on("response", read);
  stream.on("trailers", read);
  stream.on("error", () => undefined); // Its "close" follows.
  stream.resume();
  for (const bytes of said) stream.write(bytes);
  if (said.length > 0) stream.end();
  await once(stream, "close");
  return status ?? `reset with ${stream.rstCode}`;
}

/** Frames behind END_STREAM, and trailers that do not end their stream: each as the whole of a connection. */
function brokenProtocols(token: string): readonly Buffer[] {
  const headers = grpcHeaders(actions, { authorization: `Bearer ${token}` });
  const { endHeaders, endStream } = flag;
  const begun = frame(frameType.headers, endHeaders, 1, headers);
  const whole = frame(frameType.headers, endHeaders | endStream, 1, headers);
  const ended = frame(frameType.data, endStream, 1, opening("ended"));
  return [
    [whole, frame(frameType.data, 0, 1, opening("behind"))],
    [begun, ended, ended],
    [whole, frame(frameType.headers, endHeaders | endStream, 1, headers)],
    [begun, frame(frameType.headers, endHeaders, 1, grpcHeaders(actions))],
    [begun, frame(frameType.data, endStream, 0, half)],
    [frame(frameType.data, endStream, 1, half)],
    [frame(frameType.headers, endStream, 1, headers.subarray(0, 20)), ended],
  ].map((frames) => Buffer.concat(frames));
}

test("thousands of streams half-closed at once, some in the middle of a message, some where HTTP/2 forbids it", {
  timeout: 120_000,
}, async () => {
  const statuses = new Map<string, Set<unknown>>(endings.map(({ name }) => [name, new Set()]));
  let ended = 0;
  let cut = 0;
  await service.withstand(async (signal, inPlace) => {
    const session = http2.connect(`http://127.0.0.1:${service.grpcPort}`);
    session.on("error", () => undefined); // What a call sees is asserted.
    const ending = async () => {
      while (!signal.aborted) {
        for (const each of endings) {
          statuses.get(each.name)?.add(await endAtOnce(session, each));
          ended++;
        }
      }
    };
    const breaking = async () => {
      while (!signal.aborted) {
        for (const bytes of brokenProtocols(service.token)) {
          const connection = await connectRaw(service.grpcPort, { from: "127.0.0.9" });
          await connection.send(bytes);
          await Promise.race([connection.closed, sleep(50)]);
          if (connection.socket.destroyed) cut++;
          connection.socket.destroy();
        }
      }
    };
    inPlace();
    await Promise.all([...Array.from({ length: 20 }, ending), breaking()]);
    session.destroy();
  }, growsToBytes);
  expect(Object.fromEntries([...statuses].map(([name, seen]) => [name, [...seen]]))).toEqual({
    nothing: ["3"],
    "an empty DATA": ["3"],
    "its opening": ["0"],
    "half a message": ["3"],
    "half a message's head": ["3"],
    "no request": ["12"],
    "half a request": ["12"],
  });
  expect(ended).toBeGreaterThan(1_000);
  expect(cut).toBeGreaterThan(0);
});

test("5,000 streams of requests that were opened and never end", { timeout: 120_000 }, async () => {
  await service.withstand(async (signal, inPlace) => {
    const headers = grpcHeaders(actions, { authorization: `Bearer ${service.token}` });
    const all = await Promise.all(Array.from({ length: 25 }, () => connectRaw(service.grpcPort)));
    for (const [n, one] of all.entries()) {
      const frames = Array.from({ length: 200 }, (_, i) => {
        const id = 2 * i + 1;
        // A third says nothing, a third half a message, and a third waits for what follows its opening.
        const said = [Buffer.alloc(0), half, opening(`${n}-${i}`)][i % 3] ?? half;
        return [frame(frameType.headers, flag.endHeaders, id, headers), frame(frameType.data, 0, id, said)];
      });
      await one.send(Buffer.concat(frames.flat()));
    }
    inPlace();
    await stopped(signal);
    expect(all.filter((one) => one.socket.destroyed)).toEqual([]);
    for (const one of all) one.socket.destroy();
  }, growsToBytes);
});
