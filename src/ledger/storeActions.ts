import { contentHash } from "../contentHash.ts";
import { Failure } from "../server/failure.ts";
import type { Action } from "./action.ts";
import type { ActionRow, Bookmark } from "./append.ts";
import type { LedgerDependencies } from "./dependencies.ts";
import { digitsOf } from "./identity.ts";
import { replaceWallets, replaceWalletsInJson, walletsIn, walletsInJson } from "./mentions.ts";
import { retainedUntilDay } from "./retention.ts";

/** An action on its way into the journal, accepted now. */
export function actionRow(
  action: Action,
  recordedBy: string,
  dependencies: Pick<LedgerDependencies, "clock" | "recordId" | "key" | "identities" | "settings">,
): ActionRow {
  const { identities, key } = dependencies;
  const { retainDays, scrubOnAccountClose } = dependencies.settings();
  const acceptedMicros = dependencies.clock.nowMicros();
  const own = digitsOf(action.wallet);
  const identity = identities.of(action.wallet);
  const keyMentions = walletsIn(action.eventId);
  const named = new Set([
    ...keyMentions,
    ...walletsIn(action.sessionId),
    ...walletsIn(action.traceId ?? ""),
    ...walletsIn(recordedBy),
    ...(action.params === null ? [] : walletsInJson(action.params.text)),
  ]);
  const wallets = named.size === 0 ? new Map([[own, identity]]) : identities.ofAll([own, ...named]);
  // With what stands for wallets in their place: a replay after a scrub has the same content.
  const text = (value: string) => (named.size === 0 ? value : replaceWallets(value, wallets));
  const json = (value: string) => (named.size === 0 ? value : replaceWalletsInJson(value, wallets));
  return {
    action,
    recordId: dependencies.recordId(),
    acceptedMicros,
    retainedUntil: retainedUntilDay(acceptedMicros, retainDays),
    recordedBy,
    contentHash: contentHash(key, [
      identity,
      text(action.sessionId),
      action.actionType,
      action.traceId === null ? null : text(action.traceId),
      action.params === null ? null : json(action.params.canonical),
      action.occurredAtNs?.toString() ?? null,
      action.sessionSeq?.toString() ?? null,
    ]),
    mentions: [...named].filter((wallet) => wallet !== own),
    keyMentions: [...keyMentions],
    wallets,
    formerEventId: null,
    closing: scrubOnAccountClose && action.actionType === "ACCOUNT_CLOSE" ? identity : null,
    bookmark: undefined,
  };
}

/** The row with the place of its producer's stream, whose name may name wallets too. */
export function withBookmark<Row extends Pick<ActionRow, "wallets" | "bookmark">>(
  row: Row,
  bookmark: Bookmark,
  identities: LedgerDependencies["identities"],
): Row {
  const named = walletsIn(bookmark.streamId);
  const wallets = named.size === 0 ? row.wallets : new Map([...row.wallets, ...identities.ofAll(named)]);
  return { ...row, bookmark, wallets };
}

/** The row with what stands for closed wallets wherever it names them. */
export function hashedAction(row: ActionRow, closed: ActionRow["wallets"]): ActionRow {
  const text = (value: string) => replaceWallets(value, closed);
  const open = (wallets: readonly string[]) => wallets.filter((wallet) => !closed.has(wallet));
  const { action, bookmark } = row;
  const eventId = text(action.eventId);
  const wallet = text(action.wallet);
  return {
    ...row,
    action: {
      ...action,
      eventId,
      wallet,
      sessionId: text(action.sessionId),
      traceId: action.traceId === null ? null : text(action.traceId),
      params:
        action.params === null
          ? null
          : { ...action.params, text: replaceWalletsInJson(action.params.text, closed) },
      inexact: action.inexact.map(text),
    },
    recordedBy: text(row.recordedBy),
    mentions: open(row.mentions),
    keyMentions: open(row.keyMentions),
    wallets: new Map([...row.wallets].filter(([digits]) => !closed.has(digits))),
    formerEventId: eventId === action.eventId ? row.formerEventId : action.eventId,
    closing: wallet === action.wallet ? row.closing : null, // It is closed already.
    bookmark: bookmark && { ...bookmark, streamId: text(bookmark.streamId) },
  };
}

export function conflict(eventId: string): Failure {
  const text = `event_id ${JSON.stringify(eventId)} is on record with other content; nothing was overwritten`;
  return new Failure("EVENT_ID_CONFLICT", text, { metadata: { event_id: eventId } });
}
