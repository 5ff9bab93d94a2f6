/** What each parameter means to a person (spec §7, R22). */
export const parameterMessages = {
  "gov.useractivityledger": {
    mode: "Your actions are recorded in full in every mode.",
    retain_days: "Your activity history is kept for 7 years as required by regulation.",
    export_format: "Activity history is handed to compliance as JSON lines.",
    scrub_on_account_close:
      "When you close your account, your personal data can be removed from your records.",
    publish_to_user: "You can see a summary of your own activity.",
  },
  "gov.parameterchangeauditor": {
    mode: "Configuration changes are checked and recorded; in enforce, a change without its ticket is stopped.",
    retain_history_days: "Config changes are kept on record for one year.",
    require_ticket_for: "Changes of these tiers need an approved change ticket.",
    publish_to_audit_log: "Configuration changes are reported to the audit log.",
    alert_on_p0_change: "The people on call are told at once when a risk-critical parameter changes.",
  },
} as const;

/** What is wrong with a value in force (R2, R3); empty when nothing is. */
export function warningOf(paramName: string, value: unknown): string {
  if (typeof value !== "number") return "";
  if (paramName === "retain_days" && value < 2555) return "RETENTION_BELOW_REGULATORY_MINIMUM";
  if (paramName === "retain_history_days" && value < 90) return "AUDIT_RETENTION_WARN";
  return "";
}
