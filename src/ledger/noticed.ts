import type { Logger } from "pino";
import type { Noticed } from "../log/sequencer.ts";
import { userMessages } from "../reasonCodes.ts";
import { ledgerBotId } from "./report.ts";
import { numberRanges, textOfRanges } from "./sessions/numberRanges.ts";

/** Where it is told what followed from records. */
export type NoticedTo = {
  readonly log: Logger;
  /** Called for each link of a fill to an action. */
  readonly onLinked: () => void;
  /** Called for each session in which numbers went missing, or arrived after all. */
  readonly onGap: (event: "opened" | "closed") => void;
};

/** Tells the log and the metrics what this replica was the one to put on record (sequencer's onNoticed). */
export function createNoticed(to: NoticedTo): (noticed: readonly Noticed[]) => void {
  return (noticed) => {
    const links = new Map<string, number>();
    for (const one of noticed) {
      if (one.kind === "gap") gapNoticed(one, to);
      else {
        linkNoticed(one, to);
        for (const end of [`fill ${one.fillId}`, `event ${one.eventId}`]) {
          const count = (links.get(end) ?? 0) + 1;
          links.set(end, count);
          if (count === linksMax) tooManyLinks(end, to);
        }
      }
    }
  };
}

/** A record that arrives is linked with this many others at most: v_links of ledger.link. */
const linksMax = 1000;

function tooManyLinks(end: string, { log }: NoticedTo): void {
  log.warn(
    { end },
    `linked with ${linksMax} others at once, which is the most; give each intent a trace_id of its own`,
  );
}

/** A fill was linked to an action: the developer record of spec 001 §16. */
function linkNoticed(link: Extract<Noticed, { kind: "linked" }>, { log, onLinked }: NoticedTo): void {
  onLinked();
  log.debug({
    bot_id: ledgerBotId,
    event_type: "ACTION_LINKED_TO_FILL",
    session_id: link.sessionId,
    fill_id: link.fillId,
    linked_at_ms: Math.floor(link.atMicros / 1000),
  });
}

/** A session's missing numbers in one log record, at most. */
const loggedRangesMax = 20;

/** R21: numbers of a session's actions are missing, or came after all. */
function gapNoticed(gap: Extract<Noticed, { kind: "gap" }>, { log, onGap }: NoticedTo): void {
  const { sessionId } = gap;
  const told = (multirange: string) => textOfRanges(numberRanges(multirange).slice(0, loggedRangesMax));
  const missing = told(gap.missing);
  const opened = told(gap.opened);
  if (opened !== "") {
    const reasonCode = "ACTION_GAP_DETECTED";
    log.warn({ reasonCode, sessionId, opened, missing }, userMessages[reasonCode]);
    onGap("opened");
  }
  const closed = told(gap.closed);
  if (closed !== "") {
    const reasonCode = "ACTION_GAP_CLOSED";
    log.info({ reasonCode, sessionId, closed, missing }, userMessages[reasonCode]);
    onGap("closed");
  }
}
