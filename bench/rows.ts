import { randomBytes, randomUUID } from "node:crypto";
import { systemClock } from "../src/clock.ts";
import type { ActionRow } from "../src/ledger/append.ts";
import { createRecordIds } from "../src/recordIds.ts";
import { paramsJson, sessions, wallets } from "./payload.ts";

const nextRecordId = createRecordIds(systemClock());
const noWallets = new Map();

/** Actions as the ledger hands them to its journal, their values spread as those of payload.ts are. */
export function actionRows(count: number): ActionRow[] {
  const acceptedMicros = Date.now() * 1_000;
  return Array.from({ length: count }, () => ({
    action: {
      eventId: randomUUID(),
      wallet: `0x${hexadecimal(wallets, 40)}`,
      sessionId: `sess_${hexadecimal(sessions, 8)}`,
      actionType: "STRATEGY_START",
      traceId: randomUUID(),
      params: { text: paramsJson, canonical: paramsJson },
      inexact: [],
      occurredAtNs: null,
      sessionSeq: null,
    },
    recordId: nextRecordId(),
    acceptedMicros,
    retainedUntil: 23_000,
    recordedBy: "bench",
    contentHash: randomBytes(32),
    mentions: [],
    keyMentions: [],
    wallets: noWallets,
    formerEventId: null,
    closing: null,
    bookmark: undefined,
  }));
}

function hexadecimal(below: number, digits: number): string {
  return Math.floor(Math.random() * below)
    .toString(16)
    .padStart(digits, "0");
}
