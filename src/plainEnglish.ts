/**
 * What people are told in situations that have no reason code of their own (spec §17, R22). The sentences
 * of reason codes stand in reasonCodes.ts, those of parameters in botConfig/parameters.ts, those of single
 * actions in ledger/summary.ts.
 */
export const situations = {
  historyRequested: {
    situation: "User requests activity history",
    sentence: "Your complete activity history is available for the past 7 years.",
  },
  accountClosedAndScrubbed: {
    situation: "Account close with PII scrub",
    sentence:
      "Your personally identifiable information has been removed from records, but anonymised activity history is retained for compliance.",
  },
  accountClosedAndScrubPending: {
    situation: "Account close, PII scrub still to come",
    sentence:
      "Your account is closed; your personally identifiable information will be removed from records as soon as that is permitted.",
  },
  accountClosed: {
    situation: "Account close without PII scrub",
    sentence: "Your account is closed; your activity history is retained for compliance.",
  },
  changeNotRecorded: {
    situation: "Parameter change allowed, not recorded yet",
    sentence: "This configuration change may go ahead, but it is not in the audit log yet.",
  },
  changeTried: {
    situation: "Parameter change tried out",
    sentence: "This configuration change would be allowed; it was only tried out, and nothing was recorded.",
  },
} as const satisfies Record<string, { readonly situation: string; readonly sentence: string }>;
