// Node's http2 and nothing else: each request gets the same answer as soon as it has ended. Prints its port; ends
// with its parent.
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";

const message = Buffer.from(process.argv[2] ?? "", "base64");
const answer = Buffer.alloc(5 + message.length);
answer.writeUInt32BE(message.length, 1);
message.copy(answer, 5);

const server = createServer();
server.on("stream", (stream) => {
  stream.on("end", () => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(answer);
  });
  stream.resume();
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
process.stdin.on("end", () => process.exit()).resume();
