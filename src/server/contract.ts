import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
} from "@bufbuild/protobuf";
import { AccessLogService } from "../../gen/ts/polytraders/governance/v1/access_log_service_pb.ts";
import { BotConfigService } from "../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { ParameterChangeAuditorService } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { ReportService } from "../../gen/ts/polytraders/governance/v1/report_service_pb.ts";
import { RetentionService } from "../../gen/ts/polytraders/governance/v1/retention_service_pb.ts";
import { UserActivityLedgerService } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { bidiStream, type Rpc, serverStream, unary } from "./call.ts";
import { Failure } from "./failure.ts";

/** Every service of the contract. */
export const contract = [
  UserActivityLedgerService,
  ParameterChangeAuditorService,
  ReportService,
  BotConfigService,
  AccessLogService,
  RetentionService,
] as const satisfies readonly DescService[];

/** The given methods, and for every other one of the contract an answer that it is not served yet. */
export function wholeContract(served: readonly Rpc[]): readonly Rpc[] {
  const known = new Set<DescMethod>(served.map((rpc) => rpc.method));
  const methods = contract.flatMap((service): DescMethod[] => service.methods);
  return [...served, ...methods.filter((method) => !known.has(method)).map(notServed)];
}

function notServed(method: DescMethod): Rpc {
  const refuse = () =>
    new Failure("NOT_SERVED", `${method.name} is in the contract and not served by this version`);
  if (isUnary(method)) return unary(method, 1000, () => Promise.reject(refuse()));
  if (isBidi(method)) return bidiStream(method, () => refused(refuse()));
  if (isServerStream(method)) return serverStream(method, () => refused(refuse()));
  throw new Error(`${method.name} is of a kind that the contract does not use`);
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

function isServerStream(method: DescMethod): method is DescMethodServerStreaming {
  return method.methodKind === "server_streaming";
}

function isBidi(method: DescMethod): method is DescMethodBiDiStreaming {
  return method.methodKind === "bidi_streaming";
}

// biome-ignore lint/correctness/useYield: a stream that fails before its first message
async function* refused(failure: Failure): AsyncGenerator<never> {
  throw failure;
}
