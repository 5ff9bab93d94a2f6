import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";

/** What a call was refused with, from the status and its details as any client sees them. */
export type Refusal = {
  readonly code: string;
  readonly reason: string | undefined;
  readonly field: string | undefined;
  readonly message: string;
};

/** Waits for a call that has to be refused; an answer is a failure of the test. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  let answer: unknown;
  try {
    answer = await call;
  } catch (cause) {
    return asRefusal(cause);
  }
  throw new Error(`the call was answered: ${String(answer)}`);
}

export function asRefusal(cause: unknown): Refusal {
  if (!(cause instanceof ConnectError)) throw cause;
  return {
    code: Code[cause.code],
    reason: cause.findDetails(ErrorInfoSchema)[0]?.reason,
    field: cause.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field,
    message: cause.rawMessage,
  };
}
