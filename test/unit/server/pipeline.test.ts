import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  CheckWriteRequestSchema,
  type CheckWriteResponse,
  CheckWriteResponseSchema,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { systemClock } from "../../../src/clock.ts";
import type { Role } from "../../../src/server/access.ts";
import { type CallContext, CallerGone, unary } from "../../../src/server/call.ts";
import { createFairQueue } from "../../../src/server/fairQueue.ts";
import { createPipeline } from "../../../src/server/pipeline.ts";

const clock = systemClock();
const notAsked = () => Promise.reject(new Error("nobody asks"));

/** A method whose calls are worked on one at a time, each until the test answers it. */
function oneAtATime() {
  const begun: CallContext[] = [];
  const answers: (() => void)[] = [];
  const roles: ReadonlySet<Role> = new Set<Role>(["bot"]);
  const pipeline = createPipeline({
    authenticator: {
      remembered: (subject = "") => ({
        subject,
        roles,
        wallet: undefined,
        expiresAtMs: Number.POSITIVE_INFINITY,
      }),
      verify: notAsked,
    },
    observer: { begin: () => ({ end: () => undefined }), defect: () => undefined },
    accessLog: { allowed: notAsked, refused: notAsked },
    clock,
  });
  const queue = createFairQueue({ maxInFlight: 1, waitAtMostMs: 60_000 });
  const method = ParameterChangeAuditorService.method.checkWrite;
  const handle = (_: unknown, context: CallContext) => {
    begun.push(context);
    return new Promise<CheckWriteResponse>((resolve) => {
      answers.push(() => resolve(create(CheckWriteResponseSchema)));
    });
  };
  const rpc = unary(method, 60_000, handle, queue);
  return {
    /** The subjects of the calls that were worked on, in order. */
    subjects: () => begun.map(({ caller }) => caller.subject),
    begun,
    answer: (n: number) => answers[n]?.(),
    call: (subject: string, more: { withinMs?: number; isGone?: () => boolean } = {}) =>
      pipeline.unary(rpc, () => create(CheckWriteRequestSchema), {
        authorization: subject,
        headers: {},
        deadlineMs: clock.monotonicMs() + (more.withinMs ?? Number.POSITIVE_INFINITY),
        isGone: more.isGone ?? (() => false),
        onGone: () => undefined,
      }),
  };
}

test("a call that finds no place begins when one is left, and its time runs from when it came", async () => {
  const { call, answer, begun, subjects } = oneAtATime();
  const calls = [call("a"), call("a"), call("b")];
  await sleep(20);
  const answeredAtMs = clock.monotonicMs();
  expect(subjects()).toEqual(["a"]);
  for (let n = 0; n < calls.length; n++) {
    await expect.poll(() => begun.length).toBe(n + 1);
    answer(n);
  }
  await Promise.all(calls);
  expect(subjects()).toEqual(["a", "a", "b"]);
  for (const { receivedMs } of begun) expect(receivedMs).toBeLessThan(answeredAtMs);
});

test("a call whose deadline passes while it waits, or whose caller leaves, is never worked on", async () => {
  const { call, answer, subjects } = oneAtATime();
  const first = call("first");
  let isGone = false;
  const late = call("late", { withinMs: 20 });
  const leaving = call("leaving", { isGone: () => isGone });
  const last = call("last");
  leaving.catch(() => undefined); // It is awaited below.
  await expect(late).rejects.toMatchObject({ reason: "BUDGET_EXCEEDED" });
  isGone = true;
  answer(0);
  await first;
  await expect(leaving).rejects.toBeInstanceOf(CallerGone);
  await expect.poll(subjects).toEqual(["first", "last"]);
  answer(1);
  await last;
});
