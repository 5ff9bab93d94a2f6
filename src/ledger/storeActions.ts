import { contentHash } from "../contentHash.ts";
import { StoreUnavailable } from "../journal/journal.ts";
import { Failure } from "../server/failure.ts";
import type { Action } from "./action.ts";
import type { ActionRow, AppendOutcome } from "./append.ts";
import type { LedgerDependencies } from "./dependencies.ts";
import { retainedUntilDay } from "./retention.ts";

/** An action on its way into the journal, accepted now. */
export function actionRow(
  action: Action,
  recordedBy: string,
  dependencies: Pick<LedgerDependencies, "clock" | "recordId" | "key" | "identities" | "settings">,
  bookmark?: ActionRow["bookmark"],
): ActionRow {
  const acceptedMicros = dependencies.clock.nowMicros();
  const identity = dependencies.identities.of(action.wallet);
  return {
    action,
    recordId: dependencies.recordId(),
    acceptedMicros,
    retainedUntil: retainedUntilDay(acceptedMicros, dependencies.settings().retainDays),
    recordedBy,
    contentHash: contentHash(dependencies.key, [
      identity,
      action.sessionId,
      action.actionType,
      action.traceId,
      action.params?.canonical ?? null,
      action.occurredAtNs?.toString() ?? null,
      action.sessionSeq?.toString() ?? null,
    ]),
    mentions: null,
    identities: [identity],
    bookmark,
  };
}

/** Appends to the journal. Throws STORE_UNAVAILABLE when the rows may not be durable. */
export async function store(
  journal: LedgerDependencies["journal"],
  orderKey: string,
  rows: readonly ActionRow[],
): Promise<readonly AppendOutcome[]> {
  try {
    return await journal.append(orderKey, rows);
  } catch (cause) {
    if (!(cause instanceof StoreUnavailable)) throw cause;
    const text = "the ledger cannot take records now; send it again with the same event_id";
    throw new Failure("STORE_UNAVAILABLE", text, { retryAfterMs: 1000, cause });
  }
}

export function conflict(eventId: string): Failure {
  const text = `event_id ${JSON.stringify(eventId)} is on record with other content; nothing was overwritten`;
  return new Failure("EVENT_ID_CONFLICT", text, { metadata: { event_id: eventId } });
}
