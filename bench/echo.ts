import { startProgram } from "./program.ts";

/** A server that a call which stores nothing is compared with, on 127.0.0.1 in a process of its own. */
export interface Echo extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/**
 * Starts a bare grpc-js server, or Node's http2 alone. Both answer with the given message, the service's own answer
 * to GetBotConfig, so that all encode the same. `nodeOptions` are to be the service's too, as they move the figures
 * more than code does.
 */
export async function startEcho(
  on: "grpc-js" | "http2",
  botConfig: Uint8Array,
  nodeOptions: readonly string[] = [],
): Promise<Echo> {
  const program = new URL(on === "http2" ? "./http2Server.ts" : "./echoServer.ts", import.meta.url);
  const started = await startProgram(program, nodeOptions, [Buffer.from(botConfig).toString("base64")]);
  return {
    host: "127.0.0.1",
    port: Number(started.firstLine),
    [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
  };
}
