// Does the load generator drive a server as hard as h2load does? In turns on the same bare echo:
//   node bench/load/againstH2load.ts [seconds] [turns]
import { execFile } from "node:child_process";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Echo, startEcho } from "../echo.ts";
import { method } from "../methods.ts";
import { recordUserActionTemplate } from "../payload.ts";
import { loadWithoutFailure } from "./load.ts";
import { withPrefix } from "./message.ts";

const seconds = Number(process.argv[2] ?? 5);
const turns = Number(process.argv[3] ?? 3);
const connections = 5;
const callsPerConnection = 10;

async function h2load(echo: Echo, bodyFile: string): Promise<number> {
  const { stdout } = await promisify(execFile)("h2load", [
    ...["-c", String(connections), "-m", String(callsPerConnection)],
    ...["-D", String(seconds), "--warm-up-time=1s", "-d", bodyFile],
    ...["-H", "content-type: application/grpc", "-H", "te: trailers"],
    `http://${echo.host}:${echo.port}${method.recordUserAction}`,
  ]);
  return Number(/finished in .*?, ([\d.]+) req\/s/.exec(stdout)?.[1]);
}

await using folder = await mkdtempDisposable(join(tmpdir(), "bench-"));
await using echo = await startEcho("grpc-js", new Uint8Array());
const request = recordUserActionTemplate();
const bodyFile = join(folder.path, "body");
await writeFile(bodyFile, withPrefix(Buffer.from(request.base64, "base64")));
for (let turn = 1; turn <= turns; turn++) {
  const ours = await loadWithoutFailure({
    kind: "unary",
    host: echo.host,
    port: echo.port,
    path: method.recordUserAction,
    headers: {},
    connections,
    warmupMs: 1_000,
    durationMs: seconds * 1_000,
    inFlight: connections * callsPerConnection,
    request,
    expect: { field: 1, value: 1 },
  });
  console.log({ ...ours, h2loadPerSecond: await h2load(echo, bodyFile) });
}
