import { create, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/ts/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/ts/google/rpc/status_pb.ts";
import { ErrorReason } from "../../gen/ts/polytraders/governance/v1/error_reason_pb.ts";

/** google.rpc codes, as gRPC numbers them. */
export const code = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;
export type Code = (typeof code)[keyof typeof code];

/** The code each reason is sent with: the one place that maps them. */
const codeOf = {
  INVALID_FIELD: code.invalidArgument,
  TOKEN_INVALID: code.unauthenticated,
  TOKEN_EXPIRED: code.unauthenticated,
  ROLE_NOT_ALLOWED: code.permissionDenied,
  WALLET_NOT_ALLOWED: code.permissionDenied,
  NOT_PUBLISHED: code.permissionDenied,
  EVENT_ID_CONFLICT: code.alreadyExists,
  WRITE_ID_CONFLICT: code.alreadyExists,
  STORE_UNAVAILABLE: code.unavailable,
  BUDGET_EXCEEDED: code.deadlineExceeded,
  LIMIT_EXCEEDED: code.resourceExhausted,
  NOT_SERVED: code.unimplemented,
  GRPC_ONLY: code.unimplemented,
  SHUTTING_DOWN: code.unavailable,
  INTERNAL: code.internal,
  STREAM_SUPERSEDED: code.aborted,
  EXPORT_CHANGED: code.aborted,
  LOG_EPOCH_CHANGED: code.aborted,
  LOG_BEHIND: code.unavailable,
  NOT_FOUND: code.notFound,
  LEGAL_HOLD: code.failedPrecondition,
  RETENTION_BELOW_REGULATORY_MINIMUM: code.invalidArgument,
  PURGE_REFUSED: code.failedPrecondition,
  HOLD_ID_CONFLICT: code.alreadyExists,
  SPOOL_FULL: code.resourceExhausted,
} as const satisfies Record<Exclude<keyof typeof ErrorReason, "UNSPECIFIED">, Code>;

export type Reason = keyof typeof codeOf;

/** What a call is refused with. The message is for the caller: nothing of the database or a token. */
export class Failure extends Error {
  readonly reason: Reason;
  readonly code: Code;
  /** The path of the field at fault. */
  readonly field: string | undefined;
  /** Milliseconds after which a retry is safe and makes sense; undefined where it is not. */
  readonly retryAfterMs: number | undefined;
  readonly metadata: Record<string, string>;

  constructor(
    reason: Reason,
    text: string,
    more: { field?: string; retryAfterMs?: number; metadata?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(`${reason}: ${text}`, more.cause === undefined ? undefined : { cause: more.cause });
    this.reason = reason;
    this.code = codeOf[reason];
    this.field = more.field;
    this.retryAfterMs = more.retryAfterMs;
    this.metadata = more.metadata ?? {};
  }

  /** The enum value of the reason. */
  get reasonNumber(): ErrorReason {
    return ErrorReason[this.reason];
  }
}

/** A field that breaks its bound: where, and what is wrong and what would be right. */
export function invalidField(field: string, text: string): Failure {
  return new Failure("INVALID_FIELD", `${field} ${text}`, { field });
}

/** The google.rpc details of a failure: ErrorInfo always, BadRequest and RetryInfo where they apply. */
export function details(failure: Failure): Any[] {
  const packed = [
    anyPack(
      ErrorInfoSchema,
      create(ErrorInfoSchema, {
        reason: failure.reason,
        domain: "governance.polytraders",
        metadata: failure.metadata,
      }),
    ),
  ];
  if (failure.field !== undefined) {
    const description = failure.message.slice(failure.reason.length + 2);
    packed.push(
      anyPack(
        BadRequestSchema,
        create(BadRequestSchema, { fieldViolations: [{ field: failure.field, description }] }),
      ),
    );
  }
  if (failure.retryAfterMs !== undefined) {
    const retryDelay = {
      seconds: BigInt(Math.floor(failure.retryAfterMs / 1000)),
      nanos: (failure.retryAfterMs % 1000) * 1_000_000,
    };
    packed.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
  }
  return packed;
}

/** The bytes of google.rpc.Status, for the trailer grpc-status-details-bin. */
export function statusBytes(failure: Failure): Uint8Array {
  return toBinary(
    StatusSchema,
    create(StatusSchema, { code: failure.code, message: failure.message, details: details(failure) }),
  );
}
