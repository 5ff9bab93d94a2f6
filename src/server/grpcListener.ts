import type { EventEmitter } from "node:events";
import { type Message, toBinary } from "@bufbuild/protobuf";
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerWritableStream,
  type StatusObject,
} from "@grpc/grpc-js";
import type { Clock } from "../clock.ts";
import { StartupError } from "../startupError.ts";
import type { ListenAddress } from "./address.ts";
import type { Rpc } from "./call.ts";
import { Failure, statusBytes } from "./failure.ts";
import { createHealth } from "./health.ts";
import { decodeRequest, type Incoming, openPipeline, type Pipeline } from "./pipeline.ts";
import { reflectionRpcs } from "./reflection.ts";

export type GrpcLimits = {
  /** Largest message taken, bytes. */
  readonly messageMaxBytes: number;
  /** Streams one connection may have open at a time. */
  readonly streamsPerConnection: number;
};

export type TlsFiles = { readonly cert: Buffer; readonly key: Buffer; readonly clientCa: Buffer | undefined };

export type GrpcListener = {
  readonly port: number;
  /** Takes no new calls, lets the ones under way end for at most graceMs, then cuts them. */
  close(graceMs: number): Promise<void>;
};

/** Serves the RPCs over gRPC, with health checking and reflection beside them. */
export async function listenGrpc(options: {
  readonly address: ListenAddress;
  readonly rpcs: readonly Rpc[];
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly limits: GrpcLimits;
  readonly tls: TlsFiles | undefined;
}): Promise<GrpcListener> {
  const server = new Server({
    "grpc.max_receive_message_length": options.limits.messageMaxBytes,
    "grpc.max_concurrent_streams": options.limits.streamsPerConnection,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
  });
  for (const rpc of options.rpcs) mount(server, rpc, options.pipeline, options.clock);
  const health = createHealth(options.rpcs);
  for (const rpc of [...health.rpcs, ...reflectionRpcs()]) mount(server, rpc, openPipeline(options.clock), options.clock);

  const credentials =
    options.tls === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(
          options.tls.clientCa ?? null,
          [{ cert_chain: options.tls.cert, private_key: options.tls.key }],
          options.tls.clientCa !== undefined,
        );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${options.address.host}:${options.address.port}`, credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(new StartupError(`GOVERNANCE_GRPC_ADDR: cannot listen on ${options.address.text}: the address is in use or not this machine's`));
    });
  });

  return {
    port,
    async close(graceMs) {
      health.stop();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, graceMs);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    },
  };
}

/** Requests stay bytes in grpc-js, so that what cannot be decoded is refused as any other bad input. */
function definition(rpc: Rpc): MethodDefinition<Buffer, Message> {
  return {
    path: `/${rpc.method.parent.typeName}/${rpc.method.name}`,
    requestStream: rpc.kind === "bidi_stream",
    responseStream: rpc.kind !== "unary",
    requestSerialize: (bytes) => bytes,
    requestDeserialize: (bytes) => bytes,
    responseSerialize: (message) => {
      const bytes = toBinary(rpc.method.output, message);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    responseDeserialize: () => {
      throw new Error("a server decodes no responses");
    },
  };
}

function mount(server: Server, rpc: Rpc, pipeline: Pipeline, clock: Clock): void {
  const define = definition(rpc);
  switch (rpc.kind) {
    case "unary": {
      const handler: handleUnaryCall<Buffer, Message> = (call, answer) => {
        const incoming = incomingOf(call, clock);
        Promise.resolve()
          .then(() => pipeline.unary(rpc, decodeRequest(rpc, call.request), incoming))
          .then(
            (response) => answer(null, response),
            (cause: unknown) => answer(statusOf(cause)),
          );
      };
      server.register(define.path, handler, define.responseSerialize, define.requestDeserialize, "unary");
      return;
    }
    case "server_stream": {
      const handler: handleServerStreamingCall<Buffer, Message> = (call) => {
        void pump(call, clock, (incoming) => pipeline.stream(rpc, decodeRequest(rpc, call.request), incoming));
      };
      server.register(define.path, handler, define.responseSerialize, define.requestDeserialize, "serverStream");
      return;
    }
    case "bidi_stream": {
      const handler: handleBidiStreamingCall<Buffer, Message> = (call) => {
        void pump(call, clock, (incoming) => pipeline.bidi(rpc, decoded(rpc, call), incoming));
      };
      server.register(define.path, handler, define.responseSerialize, define.requestDeserialize, "bidi");
      return;
    }
  }
}

/** The request's messages. Ending the iteration must not destroy the call: answers are still to be written. */
async function* decoded(rpc: Rpc, call: ServerDuplexStream<Buffer, Message>): AsyncGenerator<Message> {
  for await (const bytes of call.iterator({ destroyOnReturn: false })) yield decodeRequest(rpc, bytes);
}

/** What all of grpc-js' calls have. */
type ServerSurfaceCall = Pick<ServerWritableStream<Buffer, Message>, "metadata" | "cancelled" | "getDeadline">;
type StreamCall = ServerWritableStream<Buffer, Message> | ServerDuplexStream<Buffer, Message>;

/** Writes answers as fast as the caller reads them, and stops the source when the caller goes away. */
async function pump(
  call: StreamCall,
  clock: Clock,
  open: (incoming: Incoming) => AsyncGenerator<Message>,
): Promise<void> {
  let gone = false;
  let wake: (() => void) | undefined;
  const leave = () => {
    gone = true;
    wake?.();
  };
  call.once("cancelled", leave);
  call.once("close", leave);
  call.on("drain", () => wake?.());
  try {
    for await (const answer of open(incomingOf(call, clock))) {
      if (gone) return;
      if (!call.write(answer)) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (gone) resolve();
        });
      }
    }
    if (!gone) call.end();
  } catch (cause) {
    if (!gone) call.emit("error", statusOf(cause));
  }
}

function incomingOf(call: ServerSurfaceCall & EventEmitter, clock: Clock): Incoming {
  const authorization = call.metadata.get("authorization")[0];
  const deadline = call.getDeadline();
  const deadlineAtMs = typeof deadline === "number" ? deadline : deadline.getTime();
  return {
    authorization: typeof authorization === "string" ? authorization : undefined,
    deadlineMs: Number.isFinite(deadlineAtMs) ? clock.monotonicMs() + deadlineAtMs - Date.now() : Infinity,
    onGone: (notify) => {
      if (call.cancelled) notify();
      else call.once("cancelled", notify);
    },
  };
}

function statusOf(cause: unknown): Partial<StatusObject> & { name: string; message: string } {
  const failure = cause instanceof Failure ? cause : new Failure("INTERNAL", "an error of the service");
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(statusBytes(failure)));
  return { name: failure.reason, message: failure.message, code: failure.code, details: failure.message, metadata };
}
