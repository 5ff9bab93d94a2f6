import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import {
  type StreamUserActionsRequest,
  StreamUserActionsRequestSchema,
  type StreamUserActionsResponse,
  StreamUserActionsResponseSchema,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import type { Answer } from "./history.ts";

/** One HTTP/2 connection of one caller, as a stock gRPC client makes it. */
export type Connection = Disposable & {
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    deadlineMs: number,
  ): Promise<MessageShape<O>>;
  streamUserActions(): ClientDuplexStream<StreamUserActionsRequest, StreamUserActionsResponse>;
};

export function connect(port: number, token: string): Connection {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    // A connection of its own, which is back soon after the service is.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": 20,
    "grpc.min_reconnect_backoff_ms": 20,
    "grpc.max_reconnect_backoff_ms": 100,
  });
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return {
    call: (method, request, deadlineMs) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          `/${method.parent.typeName}/${method.name}`,
          (message: MessageShape<typeof method.input>) => Buffer.from(toBinary(method.input, message)),
          (bytes) => fromBinary(method.output, bytes),
          create(method.input, request),
          metadata,
          { deadline: Date.now() + deadlineMs },
          (error, answer) => {
            if (error !== null) reject(error);
            else if (answer === undefined) reject(new Error("neither an answer nor an error"));
            else resolve(answer);
          },
        );
      }),
    streamUserActions: () =>
      client.makeBidiStreamRequest(
        `/${UserActivityLedgerService.typeName}/StreamUserActions`,
        (message) => Buffer.from(toBinary(StreamUserActionsRequestSchema, message)),
        (bytes) => fromBinary(StreamUserActionsResponseSchema, bytes),
        metadata,
      ),
    [Symbol.dispose]: () => client.close(),
  };
}

/** A call that failed, as an answer. Anything but a status is a defect of the suite. */
export function failed(cause: unknown): Extract<Answer, { kind: "failed" }> {
  if (!isServiceError(cause)) throw cause;
  return {
    kind: "failed",
    code: status[cause.code],
    reason: /^([A-Z][A-Z0-9_]+): /.exec(cause.details)?.[1],
    message: cause.details,
  };
}

function isServiceError(cause: unknown): cause is ServiceError {
  return cause instanceof Error && "code" in cause && "details" in cause && typeof cause.details === "string";
}
