import { expect, test } from "vitest";
import { connectRaw, frame, frameType } from "../../support/rawHttp2.ts";
import { startTestService } from "../../support/service.ts";

/** As grpc-go says goodbye: a GOAWAY that names the highest stream there could be. */
const goodbye = frame(frameType.goaway, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]));

test("a client that closes its connections as grpc-go does may open as many new ones as it likes", async () => {
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
});
