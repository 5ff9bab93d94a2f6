import { randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { type Message, toJsonString } from "@bufbuild/protobuf";
import type { Metadata } from "@grpc/grpc-js";
import type { AccessLog } from "../access/accessLog.ts";
import type { Clock } from "../clock.ts";
import { isServiceMethod, mayCall, type Role, readsRecords } from "./access.ts";
import type { Authenticator, Caller } from "./authenticate.ts";
import { type CallContext, CallerGone, type Rpc } from "./call.ts";
import { Failure } from "./failure.ts";
import { interruptible } from "./interruptible.ts";
import type { Observer } from "./observe.ts";

/** What a listener knows of a call before anybody looked at it. */
export type Incoming = {
  readonly authorization: string | undefined;
  /** All its headers as the listener has them, for the caller's trace. */
  readonly headers: Metadata | IncomingHttpHeaders;
  /** The caller's own deadline on the monotonic clock; Infinity when it sent none. */
  readonly deadlineMs: number;
  /** Whether the caller has gone away: it cancelled, or its connection broke. */
  isGone(): boolean;
  /** Calls back once when the caller goes away. */
  onGone(notify: () => void): void;
};

/**
 * A request that is read and decoded once the caller is known to be allowed: nothing of a stranger's is.
 * Throws INVALID_FIELD or LIMIT_EXCEEDED, and CallerGone when the caller left in the midst of it.
 */
export type Request = () => Message | Promise<Message>;

/** Every call takes the same way in, on both listeners: observe, authenticate, authorise, decode, budget, wait, handle. */
export type Pipeline = {
  /** Answers one request. Never rejects with anything but a Failure or CallerGone. */
  unary(rpc: Extract<Rpc, { kind: "unary" }>, request: Request, call: Incoming): Promise<Message>;
  /** Answers with a stream. Throws nothing but Failures. */
  stream(
    rpc: Extract<Rpc, { kind: "server_stream" }>,
    request: Request,
    call: Incoming,
  ): AsyncGenerator<Message>;
  /** Answers a stream with a stream. Throws nothing but Failures. */
  bidi(
    rpc: Extract<Rpc, { kind: "bidi_stream" }>,
    requests: AsyncIterable<Message>,
    call: Incoming,
  ): AsyncGenerator<Message>;
};

export function createPipeline(options: {
  readonly authenticator: Authenticator;
  readonly observer: Observer;
  readonly accessLog: AccessLog;
  readonly clock: Clock;
}): Pipeline {
  const { authenticator, observer, clock } = options;
  // Names calls across restarts and replicas: random for the process, counted within it.
  const requestPrefix = `${randomBytes(6).toString("base64url")}-`;
  let requestCount = 0;
  const nextRequestId = () => requestPrefix + ++requestCount;

  async function admit(rpc: Rpc, call: Incoming, requestId: string, request?: Request): Promise<Caller> {
    const caller =
      authenticator.remembered(call.authorization) ?? (await authenticator.verify(call.authorization));
    const method = `${rpc.method.parent.name}/${rpc.method.name}`;
    if (!isServiceMethod(method)) return caller;
    const allowed: readonly Role[] = mayCall[method];
    for (const role of allowed) if (caller.roles.has(role)) return caller;
    if (readsRecords.has(method)) {
      await options.accessLog.refused(
        { caller, requestId },
        method,
        await askedFor(rpc, request),
        "ROLE_NOT_ALLOWED",
      );
    }
    throw new Failure("ROLE_NOT_ALLOWED", `${rpc.method.name} needs one of the roles ${allowed.join(", ")}`);
  }

  async function* observed(
    rpc: Exclude<Rpc, { kind: "unary" }>,
    call: Incoming,
    open: (caller: Caller, requestId: string) => AsyncIterable<Message> | Promise<AsyncIterable<Message>>,
    request?: Request,
  ): AsyncGenerator<Message> {
    const observation = observer.begin(rpc.method);
    const requestId = nextRequestId();
    let failure: Failure | undefined;
    let done = false;
    let timer: NodeJS.Timeout | undefined;
    try {
      const caller = await admit(rpc, call, requestId, request);
      const answers = interruptible(await open(caller, requestId));
      const leftMs = call.deadlineMs - clock.monotonicMs();
      if (leftMs < longestTimerMs) timer = setTimeout(() => answers.interrupt(budgetExceeded(rpc)), leftMs);
      call.onGone(() =>
        answers.interrupt(call.deadlineMs > clock.monotonicMs() ? new CallerGone() : budgetExceeded(rpc)),
      );
      yield* answers.items;
      done = true;
    } catch (cause) {
      if (cause instanceof CallerGone) return;
      failure = asFailure(cause, requestId, observer);
      throw failure;
    } finally {
      clearTimeout(timer);
      observation.end(failure, done);
    }
  }

  function streamContext(caller: Caller, requestId: string, call: Incoming): CallContext {
    return new Context(caller, requestId, clock.monotonicMs(), call.deadlineMs, call, clock);
  }

  return {
    async unary(rpc, request, call) {
      const observation = observer.begin(rpc.method);
      const requestId = nextRequestId();
      const { queue } = rpc;
      let failure: Failure | undefined;
      let timer: NodeJS.Timeout | undefined;
      let hasPlace = false;
      let giveUp: (() => void) | undefined;
      try {
        const caller = await admit(rpc, call, requestId, request);
        const asked = request();
        // Over gRPC it is at hand, and waiting for what is at hand costs a turn.
        const message = asked instanceof Promise ? await asked : asked;
        const receivedMs = clock.monotonicMs();
        const budgetMs = Math.min(rpc.budgetMs, call.deadlineMs - receivedMs);
        if (budgetMs <= 0) throw budgetExceeded(rpc);
        const context = new Context(caller, requestId, receivedMs, receivedMs + budgetMs, call, clock);
        return await new Promise<Message>((resolve, reject) => {
          timer = setTimeout(() => reject(budgetExceeded(rpc)), budgetMs);
          if (queue === undefined || queue.enter()) {
            hasPlace = true;
            rpc.handle(message, context).then(resolve, reject);
            return;
          }
          const handle = async () => rpc.handle(message, context);
          giveUp = queue.wait(caller.subject, (place) => {
            hasPlace = place;
            if (call.isGone()) reject(new CallerGone());
            else handle().then(resolve, reject);
          });
        });
      } catch (cause) {
        if (cause instanceof CallerGone) throw cause;
        failure = asFailure(cause, requestId, observer);
        throw failure;
      } finally {
        clearTimeout(timer);
        if (hasPlace) queue?.leave();
        else giveUp?.();
        observation.end(failure, !call.isGone());
      }
    },
    stream(rpc, request, call) {
      const open = async (caller: Caller, requestId: string) =>
        rpc.handle(await request(), streamContext(caller, requestId, call));
      return observed(rpc, call, open, request);
    },
    bidi(rpc, requests, call) {
      const open = (caller: Caller, requestId: string) =>
        rpc.handle(requests, streamContext(caller, requestId, call));
      return observed(rpc, call, open);
    },
  };
}

/** Timers take no more; a deadline further away is left to the caller. */
const longestTimerMs = 2 ** 31 - 1;

/** For gRPC's own services (health, reflection): nobody is asked who they are. */
export function openPipeline(clock: Clock): Pipeline {
  const anonymous: Caller = {
    subject: "",
    roles: new Set(),
    wallet: undefined,
    expiresAtMs: Number.POSITIVE_INFINITY,
  };
  const context = (call: Incoming) =>
    new Context(anonymous, "", clock.monotonicMs(), call.deadlineMs, call, clock);
  return {
    unary: async (rpc, request, call) => rpc.handle(await request(), context(call)),
    async *stream(rpc, request, call) {
      yield* rpc.handle(await request(), context(call));
    },
    async *bidi(rpc, requests, call) {
      yield* rpc.handle(requests, context(call));
    },
  };
}

function budgetExceeded(rpc: Rpc): Failure {
  return new Failure(
    "BUDGET_EXCEEDED",
    `${rpc.method.name} was not done in time; a retry with the same id is safe`,
  );
}

/** Light on purpose: most handlers never ask for the signal, so it is made when they do. */
class Context implements CallContext {
  readonly caller: Caller;
  readonly requestId: string;
  readonly receivedMs: number;
  readonly deadlineMs: number;
  readonly #call: Incoming;
  readonly #clock: Clock;
  #signal: AbortSignal | undefined;

  constructor(
    caller: Caller,
    requestId: string,
    receivedMs: number,
    deadlineMs: number,
    call: Incoming,
    clock: Clock,
  ) {
    this.caller = caller;
    this.requestId = requestId;
    this.receivedMs = receivedMs;
    this.deadlineMs = deadlineMs;
    this.#call = call;
    this.#clock = clock;
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController();
      this.#call.onGone(() => controller.abort());
      const leftMs = this.deadlineMs - this.#clock.monotonicMs();
      this.#signal = Number.isFinite(leftMs)
        ? AbortSignal.any([controller.signal, AbortSignal.timeout(Math.max(0, Math.ceil(leftMs)))])
        : controller.signal;
    }
    return this.#signal;
  }
}

/** What a refused reader asked for, for the access log. Nobody checked it yet: what is odd or long is left out. */
async function askedFor(rpc: Rpc, request: Request | undefined): Promise<string> {
  if (request === undefined) return "{}";
  try {
    const text = toJsonString(rpc.method.input, await request(), { useProtoFieldName: true });
    return text.length > 4096 ? "{}" : text;
  } catch {
    return "{}"; // It cannot be read, or not be told as JSON.
  }
}

/** Whatever is not a Failure is a defect: its cause goes to the log, the caller learns the request id. */
function asFailure(cause: unknown, requestId: string, observer: Observer): Failure {
  if (cause instanceof Failure) return cause;
  observer.defect(cause, requestId);
  return new Failure("INTERNAL", `an error of the service, see its log for request ${requestId}`, {
    metadata: { request_id: requestId },
    cause,
  });
}
