import { startProgram } from "./program.ts";

/** A bare grpc-js echo, listening on 127.0.0.1 in a process of its own. */
export interface Echo extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/**
 * Starts the echo that a no-op through our stack is compared with. It answers
 * GetBotConfig with the given message, the service's own, so that both encode the same. `nodeOptions` are to be the
 * service's too, as they move the figures more than code does.
 */
export async function startEcho(botConfig: Uint8Array, nodeOptions: readonly string[] = []): Promise<Echo> {
  const answer = Buffer.from(botConfig).toString("base64");
  const program = await startProgram(new URL("./echoServer.ts", import.meta.url), nodeOptions, [answer]);
  return {
    host: "127.0.0.1",
    port: Number(program.firstLine),
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}
