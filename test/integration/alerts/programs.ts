import { spawn } from "node:child_process";
import net from "node:net";
import { until } from "./receiving.ts";

/** A program of an operator's, run until it is disposed of. `url` leads to it. */
export async function runProgram(
  binary: string,
  url: string,
  args: readonly string[],
): Promise<AsyncDisposable> {
  const child = spawn(binary, args, { stdio: "ignore" });
  const ended = new Promise((done) => child.once("exit", done));
  const running = {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
  await using starting = new AsyncDisposableStack();
  starting.use(running);
  await until(`${binary} is ready`, async () => {
    const ready = await fetch(`${url}/-/ready`).catch(() => undefined);
    return ready?.ok === true;
  });
  starting.move();
  return running;
}

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
