import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  Message,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Caller } from "./authenticate.ts";
import type { FairQueue } from "./fairQueue.ts";

/** What a handler knows of its call, whichever listener it came in on. */
export type CallContext = {
  readonly caller: Caller;
  /** Names the call in logs, errors and the access log. */
  readonly requestId: string;
  /** When it came in whole, on the monotonic clock: its budgets run from then, whatever it waited for since. */
  readonly receivedMs: number;
  /** When the call has to be answered, on the monotonic clock: the caller's deadline or the budget. */
  readonly deadlineMs: number;
  /** Aborted when the caller went away or the deadline passed. */
  readonly signal: AbortSignal;
};

/** The caller went away: there is nobody to tell a reason. */
export class CallerGone extends Error {}

/** A method with one request and one answer. */
export type Unary<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage> = {
  readonly kind: "unary";
  readonly method: DescMethodUnary<I, O>;
  /** The server's own budget, whatever the caller sends. */
  readonly budgetMs: number;
  /** Where its calls wait while too many are worked on; undefined: they do not. */
  readonly queue: FairQueue | undefined;
  handle(request: MessageShape<I>, context: CallContext): Promise<MessageShape<O>>;
};

/** A method with one request and many answers. */
export type ServerStream<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage> = {
  readonly kind: "server_stream";
  readonly method: DescMethodServerStreaming<I, O>;
  handle(request: MessageShape<I>, context: CallContext): AsyncIterable<MessageShape<O>>;
};

/** A method with many requests and many answers. */
export type BidiStream<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage> = {
  readonly kind: "bidi_stream";
  readonly method: DescMethodBiDiStreaming<I, O>;
  handle(requests: AsyncIterable<MessageShape<I>>, context: CallContext): AsyncIterable<MessageShape<O>>;
};

/** Any served method. Its handler is only ever called with messages its own descriptor decoded. */
export type Rpc =
  | {
      readonly kind: "unary";
      readonly method: DescMethodUnary;
      readonly budgetMs: number;
      readonly queue: FairQueue | undefined;
      handle(request: Message, context: CallContext): Promise<Message>;
    }
  | {
      readonly kind: "server_stream";
      readonly method: DescMethodServerStreaming;
      handle(request: Message, context: CallContext): AsyncIterable<Message>;
    }
  | {
      readonly kind: "bidi_stream";
      readonly method: DescMethodBiDiStreaming;
      handle(requests: AsyncIterable<Message>, context: CallContext): AsyncIterable<Message>;
    };

export function unary<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  budgetMs: number,
  handle: Unary<I, O>["handle"],
  queue?: FairQueue,
): Unary<I, O> {
  return { kind: "unary", method, budgetMs, queue, handle };
}

export function serverStream<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  handle: ServerStream<I, O>["handle"],
): ServerStream<I, O> {
  return { kind: "server_stream", method, handle };
}

export function bidiStream<I extends DescMessage, O extends DescMessage>(
  method: DescMethodBiDiStreaming<I, O>,
  handle: BidiStream<I, O>["handle"],
): BidiStream<I, O> {
  return { kind: "bidi_stream", method, handle };
}
