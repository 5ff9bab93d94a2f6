import type { EventEmitter } from "node:events";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { Server as TlsServer } from "node:tls";
import type { DescMessage, Message } from "@bufbuild/protobuf";
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  logVerbosity,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerWritableStream,
  type StatusObject,
  setLogVerbosity,
} from "@grpc/grpc-js";
import type { Clock } from "../clock.ts";
import { StartupError } from "../startupError.ts";
import type { ListenAddress } from "./address.ts";
import type { Rpc } from "./call.ts";
import { decodeRequest } from "./decode.ts";
import { createEncoder } from "./encode.ts";
import { Failure, statusBytes } from "./failure.ts";
import { createHealth } from "./health.ts";
import { http2ServersOf, setBacklog, setHttp2Options } from "./http2Below.ts";
import { type GuardLimits, guardHttp2, http2Options } from "./http2Guard.ts";
import { interruptible } from "./interruptible.ts";
import { type Incoming, openPipeline, type Pipeline } from "./pipeline.ts";
import { reflectionRpcs } from "./reflection.ts";
import { secureOptions, type TlsFiles } from "./tls.ts";
import { createUnderWay, type UnderWay } from "./underWay.ts";
import { showBadUtf8 } from "./utf8.ts";
import { makeAllYoung } from "./youngCalls.ts";

export type GrpcLimits = GuardLimits & {
  /** Largest message taken, bytes. */
  readonly messageMaxBytes: number;
  /** New connections that wait to be accepted: of more at once some are told nothing, and try again after 1 s. */
  readonly connectionsWaitingMax: number;
};

export type GrpcListener = {
  readonly port: number;
  /** New connections get this certificate. */
  renew(files: TlsFiles): void;
  /** Takes no new calls, lets the ones under way end for at most graceMs, then cuts them. */
  close(graceMs: number): Promise<void>;
};

/**
 * Serves the RPCs over gRPC, with health checking and reflection beside them. Three errors are grpc-js' own
 * and carry no ErrorInfo: UNIMPLEMENTED for a method that does not exist, RESOURCE_EXHAUSTED for a message
 * over the limit (decompressed or not), and DEADLINE_EXCEEDED when the caller's deadline passes first.
 */
export async function listenGrpc(options: {
  readonly address: ListenAddress;
  readonly rpcs: readonly Rpc[];
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly limits: GrpcLimits;
  readonly tls: TlsFiles | undefined;
  /** Whether a service's calls can be answered, for gRPC health. */
  readonly canAnswer: (service: string) => boolean;
}): Promise<GrpcListener> {
  const server = new Server({
    "grpc.max_receive_message_length": options.limits.messageMaxBytes,
    "grpc.enable_channelz": 0, // Its bookkeeping on every call serves nobody here.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.max_connection_idle_ms": options.limits.connectionIdleMs,
  });
  setHttp2Options(server, http2Options(options.limits));
  setBacklog(server, options.limits.connectionsWaitingMax);
  makeAllYoung();
  showBadUtf8();
  setLogVerbosity(logVerbosity.NONE); // It would write to stderr what its errors say as well.
  const stopping = new AbortController();
  const calls = createUnderWay();
  const mounting = { clock: options.clock, stopping: stopping.signal, calls };
  for (const rpc of options.rpcs) mount(server, rpc, { ...mounting, pipeline: options.pipeline });
  const health = createHealth(options.rpcs, options.canAnswer);
  const pipeline = openPipeline(options.clock);
  for (const rpc of [...health.rpcs, ...reflectionRpcs()]) mount(server, rpc, { ...mounting, pipeline });

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
      else
        reject(
          new StartupError(
            `GOVERNANCE_GRPC_ADDR: cannot listen on ${options.address.text}: the address is in use or not this machine's`,
          ),
        );
    });
  });
  const streaming = new Set(
    options.rpcs.filter((rpc) => rpc.kind === "bidi_stream").map((rpc) => definition(rpc).path),
  );
  const servers = http2ServersOf(server);
  const guard = guardHttp2(servers, options.limits, (path) => streaming.has(path));

  return {
    port,
    renew(files) {
      for (const one of servers) if (one instanceof TlsServer) one.setSecureContext(secureOptions(files));
    },
    async close(graceMs) {
      health.stop();
      stopping.abort(
        new Failure("SHUTTING_DOWN", "the service is stopping; go on with another replica, or later"),
      );
      const left = new AbortController();
      const { signal } = left;
      // A caller that has its answer and keeps its half of the stream open is not waited for.
      const answered = calls.none().then(() => sleep(lingerMs, undefined, { signal }));
      const drained = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      const late = sleep(graceMs, undefined, { signal });
      for (const timer of [answered, late]) timer.catch(() => undefined); // They are aborted below.
      await Promise.race([drained, answered, late]);
      left.abort();
      server.forceShutdown();
      guard[Symbol.dispose]();
    },
  };
}

/** What the last answers have to get out on the wire. */
const lingerMs = 200;

/** Requests stay bytes in grpc-js, so that what cannot be decoded is refused like other bad input. */
function definition(rpc: Rpc): MethodDefinition<Buffer, Message> {
  return {
    path: `/${rpc.method.parent.typeName}/${rpc.method.name}`,
    requestStream: rpc.kind === "bidi_stream",
    responseStream: rpc.kind !== "unary",
    requestSerialize: (bytes) => bytes,
    requestDeserialize: (bytes) => bytes,
    responseSerialize: createEncoder(rpc.method.output),
    responseDeserialize: () => {
      throw new Error("a server decodes no responses");
    },
  };
}

type Mounting = {
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
  readonly calls: UnderWay;
};

function mount(server: Server, rpc: Rpc, { pipeline, clock, stopping, calls }: Mounting): void {
  const desc = rpc.method.input;
  const define = definition(rpc);
  switch (rpc.kind) {
    case "unary": {
      const handler: handleUnaryCall<Buffer, Message> = (call, answer) => {
        calls.begin();
        pipeline
          .unary(rpc, () => decodeRequest(desc, call.request), incomingOf(call, clock))
          .then(
            (response) => answer(null, response),
            (cause: unknown) => answer(statusOf(cause)),
          )
          .finally(calls.end);
      };
      server.register(define.path, handler, define.responseSerialize, define.requestDeserialize, "unary");
      return;
    }
    case "server_stream": {
      const handler: handleServerStreamingCall<Buffer, Message> = (call) => {
        calls.begin();
        const open = (incoming: Incoming) =>
          pipeline.stream(rpc, () => decodeRequest(desc, call.request), incoming);
        void pump(call, clock, open).finally(calls.end);
      };
      server.register(
        define.path,
        handler,
        define.responseSerialize,
        define.requestDeserialize,
        "serverStream",
      );
      return;
    }
    case "bidi_stream": {
      const handler: handleBidiStreamingCall<Buffer, Message> = (call) => {
        calls.begin();
        const open = (incoming: Incoming) => pipeline.bidi(rpc, decoded(desc, call, stopping), incoming);
        void pump(call, clock, open).finally(calls.end);
      };
      server.register(define.path, handler, define.responseSerialize, define.requestDeserialize, "bidi");
      return;
    }
  }
}

/**
 * The request's messages; when the service stops, SHUTTING_DOWN behind the last one, so that what was
 * taken is answered. Ending the iteration must not destroy the call: answers are still to be written.
 */
async function* decoded(
  desc: DescMessage,
  call: ServerDuplexStream<Buffer, Message>,
  stopping: AbortSignal,
): AsyncGenerator<Message> {
  const messages = interruptible<Buffer>(call.iterator({ destroyOnReturn: false }));
  const stop = () => messages.interrupt(stopping.reason);
  if (stopping.aborted) stop();
  stopping.addEventListener("abort", stop, { once: true });
  try {
    for await (const bytes of messages.items) yield decodeRequest(desc, bytes);
    // A caller that cancels shows first as one that has no more to say.
    await setImmediate();
  } finally {
    stopping.removeEventListener("abort", stop);
  }
}

/** What all of grpc-js' calls have. */
type ServerSurfaceCall = Pick<
  ServerWritableStream<Buffer, Message>,
  "metadata" | "cancelled" | "getDeadline"
>;
type StreamCall = ServerWritableStream<Buffer, Message> | ServerDuplexStream<Buffer, Message>;

/**
 * Answers that are written and not yet taken by HTTP/2's flow control. grpc-js would queue 16, which is
 * a lot of memory where they are an export's.
 */
const answersUnderWay = 4;

/** Writes answers as fast as the caller reads them, and stops the source when the caller goes away. */
async function pump(
  call: StreamCall,
  clock: Clock,
  open: (incoming: Incoming) => AsyncGenerator<Message>,
): Promise<void> {
  let gone = false;
  let underWay = 0;
  let wake: (() => void) | undefined;
  const leave = () => {
    gone = true;
    wake?.();
  };
  const written = () => {
    underWay--;
    wake?.();
  };
  call.once("cancelled", leave);
  call.once("close", leave);
  try {
    for await (const answer of open(incomingOf(call, clock))) {
      if (gone) return;
      underWay++;
      call.write(answer, written);
      while (underWay >= answersUnderWay && !gone) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    if (!gone) call.end();
  } catch (cause) {
    // Whoever still waits for a request ends the call with the error: behind an answer that is not out yet, before
    // the status is.
    while (underWay > 0 && !gone) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (!gone) call.emit("error", statusOf(cause));
  }
}

function incomingOf(call: ServerSurfaceCall & EventEmitter, clock: Clock): Incoming {
  const authorization = call.metadata.get("authorization")[0];
  const deadline = call.getDeadline();
  const deadlineAtMs = typeof deadline === "number" ? deadline : deadline.getTime();
  return {
    authorization: typeof authorization === "string" ? authorization : undefined,
    headers: call.metadata,
    deadlineMs: Number.isFinite(deadlineAtMs) ? clock.monotonicMs() + deadlineAtMs - Date.now() : Infinity,
    isGone: () => call.cancelled,
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
  return {
    name: failure.reason,
    message: failure.message,
    code: failure.code,
    details: failure.message,
    metadata,
  };
}
