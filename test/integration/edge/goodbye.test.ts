import { expect, test } from "vitest";
import { connectRaw, frame, frameType } from "../../support/rawHttp2.ts";
import { startTestService } from "../../support/service.ts";

const goodbyes = [
  ["grpc-go", "names the highest stream there could be", [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]],
  ["a client that is interrupted", "says CANCEL", [0, 0, 0, 0, 0, 0, 0, 8]],
] as const;

test.each(goodbyes)(
  "%s may open as many connections as it likes, though its goodbye %s",
  async (_, __, payload) => {
    const goodbye = frame(frameType.goaway, 0, 0, Buffer.from(payload));
    await using service = await startTestService();
    const startedMs = performance.now();
    for (let n = 0; n < 20; n++) {
      const connection = await connectRaw(service.grpcPort, { from: "127.0.0.77" });
      await connection.send(goodbye);
      await connection.closed;
    }
    // One that is slowed down gets a connection every two seconds.
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    const last = await connectRaw(service.grpcPort, { from: "127.0.0.77" });
    let isClosed = false;
    last.closed.then(() => {
      isClosed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(isClosed).toBe(false);
    last.socket.destroy();
  },
);
