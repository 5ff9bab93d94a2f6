/**
 * The reason codes of both bots: those of spec 001 §14 and spec 002 §14 in the specifications' words, then
 * those the rulings add. The one place they stand; docs/reason-codes.md is made from it.
 */

/** Where a code is met. */
export type ReasonKind =
  /** What a report is about: its `event_type`. */
  | "report"
  /** Why a write may or may not proceed: `reason_code` of the verdict, and its report's `event_type`. */
  | "verdict"
  /** Something about the service itself that people have to see to. */
  | "warning"
  /** Why something was not taken: the reason of an error. */
  | "refusal";

export type ReasonCodeFacts = {
  readonly bot: "gov.useractivityledger" | "gov.parameterchangeauditor";
  readonly kind: ReasonKind;
  readonly severity: "INFO" | "WARN" | "HARD_REJECT";
  /** The alert of §15 that stands for it, and whom it wakes. */
  readonly alert?: { readonly name: string; readonly severity: "P1" | "P2" };
  readonly meaning: string;
  /** What the service does. */
  readonly action: string;
  /** What a person is told (R22). */
  readonly userMessage: string;
  /** False: this version never says it, a later one will. */
  readonly emitted: boolean;
};

export const reasonCodes = {
  USER_ACTION_RECORDED: {
    bot: "gov.useractivityledger",
    kind: "report",
    severity: "INFO",
    meaning: "A user action was recorded in the ledger.",
    action: "Log and emit SettlementReport.",
    userMessage: "Your action was recorded in your activity history.",
    emitted: true,
  },
  ACTION_LINKED_TO_FILL: {
    bot: "gov.useractivityledger",
    kind: "report",
    severity: "INFO",
    meaning: "A user action was linked to a fill via trace_id.",
    action: "Update ledger record.",
    userMessage: "Your action was linked to the trade it led to.",
    emitted: true,
  },
  RETENTION_BELOW_REGULATORY_MINIMUM: {
    bot: "gov.useractivityledger",
    kind: "warning",
    severity: "WARN",
    alert: { name: "UserActivityLedgerRetentionBreach", severity: "P1" },
    meaning: "retain_days < 2555.",
    action: "Emit WARN; refuse config change.",
    userMessage: "Activity history must be kept for at least 7 years; a shorter period is not accepted.",
    emitted: true,
  },
  LEDGER_WRITE_FAILED: {
    bot: "gov.useractivityledger",
    kind: "warning",
    severity: "WARN",
    alert: { name: "UserActivityLedgerBufferGrowing", severity: "P2" },
    meaning: "Postgres write failed; event buffered in memory.",
    action: "Buffer; emit WARN; flush on reconnect.",
    userMessage: "Your action is kept safe and will appear in your activity history shortly.",
    emitted: true,
  },
  LEDGER_WRITE_RECOVERED: {
    bot: "gov.useractivityledger",
    kind: "report",
    severity: "INFO",
    meaning: "Everything that was buffered while Postgres was away is in the ledger.",
    action: "Record from when to when, and what became of the buffered events.",
    userMessage: "Actions that were kept aside for a while are in your activity history now.",
    emitted: true,
  },
  SPOOL_DAMAGED: {
    bot: "gov.useractivityledger",
    kind: "warning",
    severity: "WARN",
    meaning: "A replica's spool was not as it was left: pages damaged, its end missing, or the file gone.",
    action: "Set the damaged files aside, keep every record that reads whole, say how many are lost.",
    userMessage:
      "Some actions that were kept aside may be missing from your activity history; it is being looked into.",
    emitted: true,
  },
  KILL_SWITCH_ACTIVE: {
    bot: "gov.useractivityledger",
    kind: "report",
    severity: "WARN",
    meaning: "KillSwitch active; KillSwitch event recorded in ledger.",
    action: "Record kill-switch event as USER_ACTION.",
    userMessage: "The kill switch is active, and its use was recorded in your activity history.",
    emitted: true,
  },
  EVENT_ID_CONFLICT: {
    bot: "gov.useractivityledger",
    kind: "refusal",
    severity: "WARN",
    meaning: "An event_id came again with other content.",
    action: "Refuse it; keep what was refused apart; overwrite nothing.",
    userMessage:
      "This action was sent before with other details; the first record stands and nothing was overwritten.",
    emitted: true,
  },
  ACTION_GAP_DETECTED: {
    bot: "gov.useractivityledger",
    kind: "report",
    severity: "WARN",
    meaning: "Numbers are missing from a session's actions (session_seq).",
    action: "Record the missing numbers; list them until they arrive.",
    userMessage: "Some actions of this session have not arrived yet; its activity history has a gap for now.",
    emitted: true,
  },
  ACTION_GAP_CLOSED: {
    bot: "gov.useractivityledger",
    kind: "report",
    severity: "INFO",
    meaning: "Numbers that were missing from a session's actions arrived.",
    action: "Record which; list only what is still missing.",
    userMessage: "Actions that were missing from this session have arrived in its activity history.",
    emitted: true,
  },
  EXECUTION_REPORT_RECORDED: {
    bot: "gov.useractivityledger",
    kind: "report",
    severity: "INFO",
    meaning: "An execution report was recorded in the ledger.",
    action: "Record it; link it to its action.",
    userMessage: "A report of a trade of yours was recorded in your activity history.",
    emitted: true,
  },
  ACCOUNT_SCRUBBED: {
    bot: "gov.useractivityledger",
    kind: "report",
    severity: "INFO",
    meaning: "A closed account's wallet was replaced in everything on record.",
    action: "Leave a receipt; report it.",
    userMessage: "Your account was closed, and your wallet no longer stands in the records.",
    emitted: true,
  },
  LEGAL_HOLD_PLACED: {
    bot: "gov.useractivityledger",
    kind: "report",
    severity: "INFO",
    meaning: "A legal hold on records is in force.",
    action: "Keep what it covers from purge and scrub.",
    userMessage: "Records are kept for longer, as the law asks for them.",
    emitted: true,
  },
  LEGAL_HOLD_RELEASED: {
    bot: "gov.useractivityledger",
    kind: "report",
    severity: "INFO",
    meaning: "A legal hold on records has ended.",
    action: "Purge and scrub what is due.",
    userMessage: "Records that were kept for the law are kept for their usual time again.",
    emitted: true,
  },
  PURGE_STARTED: {
    bot: "gov.useractivityledger",
    kind: "report",
    severity: "INFO",
    meaning: "A run of the purge began.",
    action: "Take what is past its retention.",
    userMessage: "Records that are past the time they are kept for are being removed.",
    emitted: true,
  },
  PURGE_ENDED: {
    bot: "gov.useractivityledger",
    kind: "report",
    severity: "INFO",
    meaning: "A run of the purge ended; its report tells what it did to each month.",
    action: "Report each step.",
    userMessage: "Records that were past the time they are kept for were removed.",
    emitted: true,
  },
  STORE_RECOVERED: {
    bot: "gov.useractivityledger",
    kind: "report",
    severity: "INFO",
    meaning: "A replica has its database back, and delivered what it had buffered; said of either bot.",
    action: "Report the counts.",
    userMessage: "Everything that was kept safe during an outage is in the history now.",
    emitted: true,
  },
  EVENT_STREAM_UNAVAILABLE: {
    bot: "gov.useractivityledger",
    kind: "warning",
    severity: "WARN",
    meaning: "The configured event stream has been away for 30 s.",
    action: "Emit WARN; health amber; go on from the last committed offset when it is back.",
    userMessage: "Your latest actions have not reached us yet; they will be recorded as soon as they do.",
    emitted: true,
  },
  PARAM_CHANGED: {
    bot: "gov.parameterchangeauditor",
    kind: "verdict",
    severity: "INFO",
    meaning: "A parameter was successfully changed and recorded.",
    action: "Log and emit OperationsReport.",
    userMessage: "A configuration change was recorded in the audit log with full before/after detail.",
    emitted: true,
  },
  P0_PARAMETER_CHANGED: {
    bot: "gov.parameterchangeauditor",
    kind: "warning",
    severity: "WARN",
    alert: { name: "ParameterAuditorP0Change", severity: "P1" },
    meaning: "A P0-tier parameter was changed; immediate alert required.",
    action: "Emit alert to on-call.",
    userMessage: "A risk-critical parameter was changed, and the people on call were told at once.",
    emitted: true,
  },
  AUDIT_TICKET_REQUIRED: {
    bot: "gov.parameterchangeauditor",
    kind: "verdict",
    severity: "HARD_REJECT",
    meaning: "A P0/P1 parameter change was attempted without a ticket reference.",
    action: "Reject change; emit alert.",
    userMessage: "This parameter requires an approved change ticket before it can be modified.",
    emitted: true,
  },
  BREAK_GLASS_USED: {
    bot: "gov.parameterchangeauditor",
    kind: "verdict",
    severity: "WARN",
    meaning: "A write was allowed without a ticket because of a stated emergency (role break-glass).",
    action: "Allow and record it with its reason; page; list it as open until somebody else reviews it.",
    userMessage:
      "This change was let through in an emergency without a change ticket, and somebody else reviews it.",
    emitted: true,
  },
  AUDIT_TICKET_INVALID: {
    bot: "gov.parameterchangeauditor",
    kind: "verdict",
    severity: "HARD_REJECT",
    meaning: "The ticket does not exist, was closed before the change, or is not for this parameter.",
    action: "Reject change; where the ticket system answered too late, report it afterwards.",
    userMessage: "The change ticket does not cover this change; an open ticket for this parameter is needed.",
    emitted: true,
  },
  AUDIT_LOG_UNAVAILABLE: {
    bot: "gov.parameterchangeauditor",
    kind: "warning",
    severity: "WARN",
    alert: { name: "ParameterAuditorLogUnavailable", severity: "P1" },
    meaning: "Audit log store is unavailable; records buffered in memory.",
    action: "Buffer and flush on reconnect.",
    userMessage:
      "The audit log is out of reach for the moment; configuration changes are added when it is back.",
    emitted: true,
  },
  AUDIT_LOG_RECOVERED: {
    bot: "gov.parameterchangeauditor",
    kind: "report",
    severity: "INFO",
    meaning: "Everything that was buffered while the audit log was away is on record.",
    action: "Record from when to when, and what became of the buffered records.",
    userMessage: "The audit log is back, and the configuration changes of the meantime are in it.",
    emitted: true,
  },
  AUDIT_RETENTION_WARN: {
    bot: "gov.parameterchangeauditor",
    kind: "warning",
    severity: "WARN",
    meaning: "retain_history_days < 90; below recommended minimum.",
    action: "Emit WARN.",
    userMessage: "Config change history is set to be kept for less than the recommended 90 days.",
    emitted: true,
  },
  WRITE_ID_CONFLICT: {
    bot: "gov.parameterchangeauditor",
    kind: "refusal",
    severity: "WARN",
    meaning: "A write_id came again with other content.",
    action: "Refuse it; overwrite nothing.",
    userMessage:
      "This change was sent before with other details; the first record stands and nothing was overwritten.",
    emitted: true,
  },
  UNGATED_WRITE: {
    bot: "gov.parameterchangeauditor",
    kind: "report",
    severity: "WARN",
    meaning: "A parameter was changed without a verdict, and its record was delivered afterwards.",
    action: "Record it; page for P0/P1.",
    userMessage:
      "A configuration change went ahead without being checked first, and was recorded afterwards.",
    emitted: true,
  },
  CONFIG_DRIFT_DETECTED: {
    bot: "gov.parameterchangeauditor",
    kind: "report",
    severity: "WARN",
    meaning: "A bot's live value is not the recorded one.",
    action: "Report each difference.",
    userMessage: "A setting in use is not the one that was last recorded in the audit log.",
    emitted: true,
  },
  TICKET_RECHECKED: {
    bot: "gov.parameterchangeauditor",
    kind: "report",
    severity: "INFO",
    meaning: "A ticket that could not be checked in time was checked, or can no longer be.",
    action: "Report what it turned out to be.",
    userMessage: "The change ticket of an earlier change was checked.",
    emitted: true,
  },
  WRITE_CONFIRMED: {
    bot: "gov.parameterchangeauditor",
    kind: "report",
    severity: "INFO",
    meaning: "It was confirmed whether an allowed write was applied.",
    action: "Record it.",
    userMessage: "It is on record whether the change took effect.",
    emitted: true,
  },
} as const satisfies Record<string, ReasonCodeFacts>;

export type ReasonCode = keyof typeof reasonCodes;

export function isReasonCode(text: string): text is ReasonCode {
  return Object.hasOwn(reasonCodes, text);
}

/** What a person is told, by code. */
export const userMessages: Readonly<Record<ReasonCode, string>> = Object.assign(
  {},
  ...Object.entries(reasonCodes).map(([code, { userMessage }]) => ({ [code]: userMessage })),
);
