import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { errorCode } from "../errorCode.ts";

/** Why a call got no answer. */
export type CallFailure =
  /** The service answered that it will not; `message` is its own and starts with the reason. */
  | {
      readonly kind: "refused";
      readonly reason: string;
      readonly message: string;
      readonly isTransient: boolean;
    }
  /** Nobody answered, or the answer was cut. */
  | { readonly kind: "unreachable"; readonly message: string };

/** Codes that the way to the service can produce, with nobody there to give a reason. */
const codesOfTheWay: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Aborted,
  Code.Canceled,
  Code.Internal,
  Code.Unknown,
]);

/** Refusals that pass: the same call with the same id is safe and may get through. */
const transientReasons: ReadonlySet<string> = new Set([
  "STORE_UNAVAILABLE",
  "BUDGET_EXCEEDED",
  "SHUTTING_DOWN",
  "LOG_BEHIND",
]);

/** What a failed call means; undefined when the error is not a call's. */
export function callFailure(cause: unknown): CallFailure | undefined {
  if (!(cause instanceof ConnectError)) return undefined;
  // Only the service itself sends one of these, so it tells its answers from those of the way.
  const [info] = cause.findDetails(ErrorInfoSchema);
  if (info !== undefined) {
    const isTransient = transientReasons.has(info.reason);
    return { kind: "refused", reason: info.reason, message: cause.rawMessage, isTransient };
  }
  if (codesOfTheWay.has(cause.code)) return { kind: "unreachable", message: problemOfTheWay(cause) };
  const reason = Code[cause.code] ?? "Unknown";
  return { kind: "refused", reason, message: `${reason}: ${cause.rawMessage}`, isTransient: false };
}

const problems = new Map([
  ["ECONNREFUSED", "nothing listens there"],
  ["ENOTFOUND", "the host is not known"],
  ["EAI_AGAIN", "the host's name cannot be looked up now"],
  ["ECONNRESET", "the connection was cut"],
  ["EPIPE", "the connection was cut"],
  ["ETIMEDOUT", "it does not answer"],
  ["ERR_HTTP2_ERROR", "it does not speak gRPC, or not without TLS (--tls)"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "it does not speak TLS; leave out --tls"],
  ["ERR_SSL_PACKET_LENGTH_TOO_LONG", "it does not speak TLS; leave out --tls"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "its certificate is not trusted; name its authority with --tls-ca"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "its certificate is not trusted; name its authority with --tls-ca"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "its certificate is not trusted; name its authority with --tls-ca"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "its certificate is not trusted; name its authority with --tls-ca"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "its certificate is for another name"],
  ["CERT_HAS_EXPIRED", "its certificate has expired"],
]);

function problemOfTheWay(error: ConnectError): string {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const problem = problems.get(errorCode(cause) ?? "");
    if (problem !== undefined) return problem;
  }
  return error.code === Code.DeadlineExceeded ? "it does not answer in time" : error.rawMessage;
}
