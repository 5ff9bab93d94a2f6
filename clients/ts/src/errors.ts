import { Code, ConnectError } from "@connectrpc/connect";
import type { CheckWriteResponse } from "./gen/parameter_change_auditor_pb.ts";

/** A write is not allowed. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** Why, e.g. AUDIT_TICKET_REQUIRED. */
  readonly reasonCode: string;
  /** The sentence for a person, as the service words it. */
  readonly userMessage: string;
  /** Names the decision on record. */
  readonly decisionId: string;
  /** The whole answer. */
  readonly response: CheckWriteResponse;

  constructor(response: CheckWriteResponse, options?: ErrorOptions) {
    super(`${response.reasonCode}: ${response.userMessage} (decision ${response.decisionId})`, options);
    this.reasonCode = response.reasonCode;
    this.userMessage = response.userMessage;
    this.decisionId = response.decisionId;
    this.response = response;
  }
}

/** As much waits in a recorder's folder as may: the service has been away for long. Nothing of the call was kept. */
export class RecorderFullError extends Error {
  override readonly name = "RecorderFullError";
}

/** This machine's disk does not keep what the service was not told of a write. `cause` says why. */
export class NotKeptError extends Error {
  override readonly name = "NotKeptError";
}

/** The codes that open the gate; any other is the caller's own mistake. */
const noVerdict: ReadonlyMap<Code, string> = new Map([
  [Code.Unavailable, "UNAVAILABLE"],
  [Code.DeadlineExceeded, "DEADLINE_EXCEEDED"],
  [Code.ResourceExhausted, "RESOURCE_EXHAUSTED"],
  [Code.Internal, "INTERNAL"],
  [Code.Unknown, "UNKNOWN"],
]);

/**
 * A connection that broke under a call. Connect calls it ABORTED or CANCELED; other gRPC clients, and the contract,
 * UNAVAILABLE.
 */
function isBrokenConnection(error: ConnectError): boolean {
  const isLocal = !error.metadata.has("grpc-status");
  return isLocal && (error.code === Code.Aborted || error.code === Code.Canceled);
}

/** Why a call gave no verdict, e.g. UNAVAILABLE; undefined for errors that do not open the gate. */
export function noVerdictCause(cause: unknown): string | undefined {
  if (!(cause instanceof ConnectError)) return undefined;
  return isBrokenConnection(cause) ? "UNAVAILABLE" : noVerdict.get(cause.code);
}

/** Sending the same again cannot work. What a new token, a newer service or an operator can mend is not such. */
export function isRefusal(cause: unknown): boolean {
  if (!(cause instanceof ConnectError) || isBrokenConnection(cause)) return false;
  switch (cause.code) {
    case Code.InvalidArgument:
    case Code.AlreadyExists:
    case Code.FailedPrecondition:
    case Code.OutOfRange:
      return true;
    case Code.ResourceExhausted:
      return reasonOf(cause) === "LIMIT_EXCEEDED";
    default:
      return false;
  }
}

/** The service's word for an error, with which its message begins; empty when it has none. */
export function reasonOf(cause: unknown): string {
  return cause instanceof ConnectError ? (/^([A-Z][A-Z_]+):/.exec(cause.rawMessage)?.[1] ?? "") : "";
}
