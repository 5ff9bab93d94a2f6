import { expect, test } from "vitest";
import { Durability } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { verdictMessage } from "../../../src/auditor/verdictMessage.ts";

const { DURABLE, BUFFERED, NOT_RECORDED } = Durability;

test("a change is called recorded when it is, and never when it is not", () => {
  for (const durability of [DURABLE, BUFFERED]) {
    expect(verdictMessage("PARAM_CHANGED", durability, false)).toBe(
      "A configuration change was recorded in the audit log with full before/after detail.",
    );
  }
  expect(verdictMessage("PARAM_CHANGED", NOT_RECORDED, false)).toBe(
    "This configuration change may go ahead, but it is not in the audit log yet.",
  );
  expect(verdictMessage("PARAM_CHANGED", NOT_RECORDED, true)).toBe(
    "This configuration change would be allowed; it was only tried out, and nothing was recorded.",
  );
});

test("a change that is not allowed is told why, wherever its record is", () => {
  for (const durability of [DURABLE, BUFFERED, NOT_RECORDED]) {
    expect(verdictMessage("AUDIT_TICKET_REQUIRED", durability, false)).toBe(
      "This parameter requires an approved change ticket before it can be modified.",
    );
  }
});
