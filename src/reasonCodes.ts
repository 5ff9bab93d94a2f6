/**
 * The reason codes of both bots (spec 001 §14, spec 002 §14) that this version emits, each with what a
 * person is told. The one place they stand.
 */
export const userMessages = {
  USER_ACTION_RECORDED: "Your action was recorded in your activity history.",
  RETENTION_BELOW_REGULATORY_MINIMUM:
    "Activity history must be kept for at least 7 years; a shorter period is not accepted.",
  PARAM_CHANGED: "A configuration change was recorded in the audit log with full before/after detail.",
  AUDIT_TICKET_REQUIRED: "This parameter requires an approved change ticket before it can be modified.",
  AUDIT_RETENTION_WARN: "Config change history is kept for less than the recommended 90 days.",
} as const;

export type ReasonCode = keyof typeof userMessages;

export function isReasonCode(text: string): text is ReasonCode {
  return Object.hasOwn(userMessages, text);
}
