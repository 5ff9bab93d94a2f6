import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type CheckWriteResponse,
  Durability,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import type { AuditorClient } from "../../support/callers.ts";
import type { WriteInit } from "./writes.ts";

const again = new Set([Code.Unavailable, Code.DeadlineExceeded]);
const triesMax = 50;

/** Calls as a client does that must not lose anything on a busy machine: again, where that is safe. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (cause) {
      if (tries === triesMax || !(cause instanceof ConnectError) || !again.has(cause.code)) throw cause;
      await sleep(100);
    }
  }
}

/** Asks until the decision is on record; the write needs its write_id. */
export async function recordedWrite(
  store: AuditorClient,
  write: WriteInit & { readonly writeId: string },
): Promise<CheckWriteResponse> {
  for (let tries = 1; ; tries++) {
    const answer = await patiently(() => store.checkWrite(write));
    if (answer.durability === Durability.DURABLE) return answer;
    if (tries === triesMax) throw new Error("the decision could not be recorded");
    await sleep(100);
  }
}
