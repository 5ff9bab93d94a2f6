import { randomUUID } from "node:crypto";
import type { DecisionRow } from "../../../src/auditor/append.ts";
import type { ActionRow } from "../../../src/ledger/append.ts";

const acceptedMicros = Date.parse("2026-05-09T10:00:00Z") * 1000;

/** An action as the ledger's journal writes it, for tests that write on transactions of their own. */
export function actionRow(recordId: string): ActionRow {
  return {
    action: {
      eventId: recordId,
      wallet: `0x${"1".repeat(40)}`,
      sessionId: "s",
      actionType: "HALT",
      traceId: null,
      params: null,
      inexact: [],
      occurredAtNs: null,
      sessionSeq: null,
    },
    recordId,
    acceptedMicros,
    retainedUntil: 23_000,
    recordedBy: "test",
    contentHash: Buffer.from(randomUUID()),
    mentions: [],
    keyMentions: [],
    wallets: new Map(),
    formerEventId: null,
    closing: null,
    bookmark: undefined,
  };
}

/** A decision as the auditor's journal writes it. */
export function decisionRow(recordId: string): DecisionRow {
  return {
    write: {
      botSlug: "b",
      paramName: "p",
      botKey: "b",
      paramKey: "p",
      oldValue: null,
      newValue: null,
      inexact: [],
      editorId: "e",
      ticketRef: null,
      environment: null,
      writeId: null,
      traceId: null,
      changedAtNs: null,
      breakGlassReason: null,
      maskedPaths: [],
    },
    decision: {
      verdict: "ALLOW",
      allowed: true,
      reasonCode: "PARAM_CHANGED",
      tier: "P2",
      ticketStatus: "NOT_REQUIRED",
      policyVersion: "0",
    },
    mode: "enforce",
    automated: false,
    recordId,
    acceptedMicros,
    recordedBy: "test",
    contentHash: Buffer.from(randomUUID()),
  };
}
