import { type ReasonCode, userMessages } from "../reasonCodes.ts";

/** What people are alerted of, how urgently (§15's words: P1 wakes somebody), and where its runbook is. */
export const alertKinds = {
  P0_PARAMETER_CHANGED: { severity: "P1", runbook: "runbook-parameterauditor-p0" },
  AUDIT_LOG_UNAVAILABLE: { severity: "P1", runbook: "runbook-parameterauditor-log" },
  BREAK_GLASS_USED: { severity: "P1", runbook: "runbook-parameterauditor-break-glass" },
  UNGATED_WRITE: { severity: "P1", runbook: "runbook-parameterauditor-ungated" },
  AUDIT_TICKET_REQUIRED: { severity: "P2", runbook: "runbook-parameterauditor-ticket" },
  AUDIT_TICKET_INVALID: { severity: "P2", runbook: "runbook-parameterauditor-ticket" },
  KILL_SWITCH_ACTIVE: { severity: "P1", runbook: "runbook-useractivityledger-kill-switch" },
  LEDGER_WRITE_FAILED: { severity: "P2", runbook: "runbook-useractivityledger-buffer" },
  SPOOL_DAMAGED: { severity: "P1", runbook: "runbook-spool-damaged" },
} as const satisfies Partial<Record<ReasonCode, { severity: "P1" | "P2"; runbook: string }>>;

export type AlertCode = keyof typeof alertKinds;

/** Something that people are told of at once (R25). */
export type Alert = {
  readonly reasonCode: AlertCode;
  /** Names the alert among those of its reason code, so that repeats fold: the decision's id where there is one. */
  readonly key: string;
  readonly atMicros: number;
  /** What it is about, the same in every repeat; never a value, a wallet or a session (R18). */
  readonly facts: Readonly<Record<string, string>>;
};

/** What an alert and its repeats have in common. */
export function identityOf({ reasonCode, key }: Pick<Alert, "reasonCode" | "key">): string {
  return `${reasonCode}/${key}`;
}

/** The sentence for people (R22). */
export function summaryOf({ reasonCode }: Alert): string {
  return userMessages[reasonCode];
}

/** Tells of an alert to whoever is to be told. Never throws, and waits for nobody. */
export type Raise = (alert: Alert) => void;
