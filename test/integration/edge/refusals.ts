import { ConnectError } from "@connectrpc/connect";
import { expect } from "vitest";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { ErrorReason } from "../../../gen/ts/polytraders/governance/v1/error_reason_pb.ts";
import { asRefusal, type Refusal } from "../../support/refusal.ts";

/** What became of a call. */
export type Outcome = { readonly answer: unknown } | { readonly refusal: Refusal };

/** Waits for a call, answered or refused; a refusal has to have the form the contract gives every error. */
export async function outcomeOf(call: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { answer: await call() };
  } catch (cause) {
    return { refusal: wholeRefusal(cause) };
  }
}

/** Waits for a call that has to be refused, in the form the contract gives every error. */
export async function refused(call: () => Promise<unknown>): Promise<Refusal> {
  const outcome = await outcomeOf(call);
  if ("refusal" in outcome) return outcome.refusal;
  throw new Error(
    `the call was answered: ${JSON.stringify(outcome.answer, (_, value) => (typeof value === "bigint" ? `${value}` : value))}`,
  );
}

/** One ErrorInfo of our domain, its reason documented, and a message that starts with it. */
function wholeRefusal(cause: unknown): Refusal {
  if (!(cause instanceof ConnectError)) throw cause;
  const infos = cause.findDetails(ErrorInfoSchema);
  expect(infos, cause.message).toHaveLength(1);
  expect(infos[0]?.domain).toBe("governance.polytraders");
  const refusal = asRefusal(cause);
  expectReason(refusal.reason, refusal.message);
  return refusal;
}

/** A reason of the contract, and the message starts with it. */
export function expectReason(reason: string | undefined, message: string): void {
  expect(Object.keys(ErrorReason).filter((name) => name !== "UNSPECIFIED")).toContain(reason);
  expect(message.startsWith(`${reason}: `), message).toBe(true);
}

/** Reads all messages of a stream. */
export async function collected<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}
