import { type Count, type Counts, type SpoolBot, spoolBots } from "./entry.ts";

/** What can be known of a bot's records in a damaged spool. */
export type Remains = {
  /** How far it had come, as was noted apart; undefined: that is lost too. */
  readonly known: Counts | undefined;
  /** How far it had come, as the file itself says: perhaps of an earlier time; undefined: it does not say. */
  readonly inFile: Counts | undefined;
  /** Records that were read whole. */
  readonly kept: Readonly<Record<SpoolBot, number>>;
};

export type Settlement = {
  /** The counts that the new spool begins with. */
  readonly counts: Counts;
  readonly lost: Readonly<Record<SpoolBot, number | null>>;
};

/** How many acknowledged records are missing, bot by bot. */
export function missingOf({ known, inFile, kept }: Remains, lastSeq: number): Settlement {
  const [ledger, auditor] = [spoolBots[0], spoolBots[1]];
  const of = (bot: SpoolBot) => countAndLost(known?.[bot], inFile?.[bot], kept[bot]);
  const ofLedger = of(ledger);
  const ofAuditor = of(auditor);
  // Places are never given twice, also where nothing is left that says how many were.
  const unseen = Math.max(0, lastSeq - ofLedger.appended - ofAuditor.appended);
  return {
    counts: {
      [ledger]: begun(ofLedger.appended + unseen, kept[ledger]),
      [auditor]: begun(ofAuditor.appended, kept[auditor]),
    },
    lost: { [ledger]: ofLedger.lost, [auditor]: ofAuditor.lost },
  };
}

function begun(appended: number, kept: number): Count {
  return { appended, removed: appended - kept };
}

function countAndLost(known: Count | undefined, inFile: Count | undefined, kept: number) {
  const appended = Math.max(known?.appended ?? 0, inFile?.appended ?? 0, kept);
  const removed = Math.max(known?.removed ?? 0, inFile?.removed ?? 0);
  if (inFile === undefined) {
    return { appended, lost: known === undefined ? null : Math.max(0, appended - removed - kept) };
  }
  const missing = appended - inFile.removed - kept;
  // The file may be of an earlier time. What was drained since then is among what is missing, or among what was kept.
  const drained = removed - inFile.removed;
  const least = missing - Math.min(drained, missing);
  const most = missing - Math.max(0, drained - kept);
  return { appended, lost: least === most ? least : null };
}
