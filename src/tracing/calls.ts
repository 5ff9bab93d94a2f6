import type { IncomingHttpHeaders } from "node:http";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { Metadata } from "@grpc/grpc-js";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, type TextMapGetter } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { CallerGone } from "../server/call.ts";
import { Failure } from "../server/failure.ts";
import type { Incoming, Pipeline } from "../server/pipeline.ts";
import { errorType, type Open, type Spans } from "./spans.ts";

type Headers = Metadata | IncomingHttpHeaders;

const headers: TextMapGetter<Headers> = {
  get(from, name) {
    if (!(from instanceof Metadata)) return from[name];
    return from.get(name).filter((value) => typeof value === "string");
  },
  keys: (from) => Object.keys(from instanceof Metadata ? from.getMap() : from),
};

const traceContext = new W3CTraceContextPropagator();

const cancelled = 1;
/** Of what a server answers, what is an error of its own: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED and so on. */
const serverErrors: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15]);

/** A span for each call, from its arrival to its answer; a stream's lasts as long as the stream. */
export function tracedPipeline(pipeline: Pipeline, spans: Spans): Pipeline {
  function begin(method: DescMethod, call: Incoming): Open {
    const { typeName } = method.parent;
    const attributes = {
      "rpc.system": isGrpc(call.headers) ? "grpc" : "connect_rpc",
      "rpc.service": typeName,
      "rpc.method": method.name,
    };
    const parent = traceContext.extract(ROOT_CONTEXT, call.headers, headers);
    return spans.begin(`${typeName}/${method.name}`, { kind: SpanKind.SERVER, attributes }, parent);
  }

  async function* stream(
    method: DescMethod,
    call: Incoming,
    open: () => AsyncGenerator<Message>,
  ): AsyncGenerator<Message> {
    const own = begin(method, call);
    const answers = own.run(open);
    let failure: unknown;
    try {
      for (;;) {
        const step = await own.run(() => answers.next());
        if (step.done) return;
        yield step.value;
      }
    } catch (cause) {
      failure = cause;
      throw cause;
    } finally {
      await own.run(() => answers.return(undefined));
      end(own, call, failure);
    }
  }

  return {
    async unary(rpc, request, call) {
      const own = begin(rpc.method, call);
      // A call that waited for its turn is begun by the one before it, and would go on in that one's trace.
      const handled = {
        ...rpc,
        handle: (message: Message, context: Parameters<typeof rpc.handle>[1]) =>
          own.run(() => rpc.handle(message, context)),
      };
      let failure: unknown;
      try {
        return await own.run(() => pipeline.unary(handled, request, call));
      } catch (cause) {
        failure = cause;
        throw cause;
      } finally {
        end(own, call, failure);
      }
    },
    stream: (rpc, request, call) => stream(rpc.method, call, () => pipeline.stream(rpc, request, call)),
    bidi: (rpc, requests, call) => stream(rpc.method, call, () => pipeline.bidi(rpc, requests, call)),
  };
}

/** Messages of failures may quote what was sent: none of them is in a span. */
function end(own: Open, call: Incoming, failure: unknown): void {
  const code = codeOf(call, failure);
  const { span } = own;
  if (isGrpc(call.headers)) span.setAttribute("rpc.grpc.status_code", code);
  else if (code !== 0) span.setAttribute("rpc.connect_rpc.error_code", codeToString(code));
  if (failure !== undefined) span.setAttribute("error.type", errorType(failure));
  if (serverErrors.has(code)) span.setStatus({ code: SpanStatusCode.ERROR });
  own.end();
}

function codeOf(call: Incoming, failure: unknown): number {
  if (failure instanceof Failure) return failure.code;
  if (failure instanceof CallerGone || call.isGone()) return cancelled;
  return failure === undefined ? 0 : 13;
}

/** gRPC-Web comes over HTTP too. */
function isGrpc(from: Headers): boolean {
  return from instanceof Metadata || from["content-type"]?.startsWith("application/grpc") === true;
}
