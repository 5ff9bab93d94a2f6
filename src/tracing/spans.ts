import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { sqlState } from "../db/pool.ts";
import { Failure } from "../server/failure.ts";

/** A span, and what is to be its children's context. */
export type Place = { readonly span: Span; readonly context: Context };

/** The span of a call, which ends when it is said. */
export type Open = Place & { run<T>(work: () => T): T; end(): void };

/** The spans of this process. Which one work belongs to goes with it, through whatever it waits for. */
export type Spans = {
  /** Begins a call under its caller's span, or without one. Until its end, log lines in it carry its trace. */
  begin(name: string, options: SpanOptions, parent: Context): Open;
  /** Runs the work in a span below the one it is called in; where none is recorded, as it is. */
  below<T>(name: string, options: SpanOptions, work: (place?: Place) => Promise<T>): Promise<T>;
  /** Runs the work that several wait for: below the first of them, with links to all. */
  shared<T>(name: string, options: SpanOptions, of: readonly Place[], work: () => Promise<T>): Promise<T>;
  /** Runs work of the service's own in a trace of its own. */
  apart<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T>;
  /** What a line that is logged now says of the call it is logged in. */
  logFields(): { readonly otel_trace_id?: string };
};

type Scope = Place & {
  /** What a call started in the background may outlive it, and is not its own any more. */
  readonly call: { isOver: boolean };
};

export function createSpans(tracer: Tracer): Spans {
  const scopes = new AsyncLocalStorage<Scope | undefined>();

  function start(name: string, options: SpanOptions, parent: Context): Place {
    const span = tracer.startSpan(name, options, parent);
    return { span, context: trace.setSpan(ROOT_CONTEXT, span) };
  }

  async function finish<T>(scope: Scope, work: () => Promise<T>): Promise<T> {
    try {
      return await scopes.run(scope, work);
    } catch (cause) {
      scope.span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute("error.type", errorType(cause));
      throw cause;
    } finally {
      scope.span.end();
    }
  }

  async function alone<T>(place: Place, work: () => Promise<T>): Promise<T> {
    const call = { isOver: false };
    try {
      return await finish({ ...place, call }, work);
    } finally {
      call.isOver = true;
    }
  }

  return {
    begin(name, options, parent) {
      const call = { isOver: false };
      const scope = { ...start(name, options, parent), call };
      return {
        ...scope,
        run: (work) => scopes.run(scope, work),
        end() {
          call.isOver = true;
          scope.span.end();
        },
      };
    },

    below(name, options, work) {
      const scope = scopes.getStore();
      if (scope === undefined || !scope.span.isRecording()) return work();
      const place = start(name, options, scope.context);
      return finish({ ...place, call: scope.call }, () => work(place));
    },

    shared(name, options, of, work) {
      const waiting = [...new Set(of)].filter(({ span }) => span.isRecording());
      const [first, ...others] = waiting;
      if (first === undefined) return scopes.run(undefined, work);
      const links = waiting.map(({ span }) => ({ context: span.spanContext() }));
      const place = start(name, { ...options, links }, first.context);
      for (const { span } of others) span.addLink({ context: place.span.spanContext() });
      return alone(place, work);
    },

    apart: (name, options, work) => alone(start(name, options, ROOT_CONTEXT), work),

    logFields() {
      const scope = scopes.getStore();
      if (scope === undefined || scope.call.isOver) return {};
      return { otel_trace_id: scope.span.spanContext().traceId };
    },
  };
}

/** A reason, an SQLSTATE, a socket's code or the name of a class: never a message. */
export function errorType(cause: unknown): string {
  if (cause instanceof Failure) return cause.reason;
  if (!(cause instanceof Error)) return typeof cause;
  return sqlState(cause) ?? sqlState(cause.cause) ?? cause.constructor.name;
}
