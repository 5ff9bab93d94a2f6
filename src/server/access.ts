/** The roles a token can carry. */
export const roles = [
  "bot",
  "config-store",
  "account",
  "user",
  "compliance",
  "operator",
  "break-glass",
] as const;
export type Role = (typeof roles)[number];

export function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text);
}

/** Who may ask the gate. */
export const gate = ["bot", "config-store", "operator", "break-glass"] as const;
const record = ["bot", "account"] as const;

/** Who may call what: one of these roles is enough. What a role sees then is the handler's affair. */
export const mayCall = {
  "UserActivityLedgerService/RecordUserAction": record,
  "UserActivityLedgerService/StreamUserActions": record,
  "UserActivityLedgerService/RecordExecutionReport": record,
  "UserActivityLedgerService/StreamExecutionReports": record,
  "UserActivityLedgerService/CloseAccount": ["account"],
  "UserActivityLedgerService/ListUserActions": ["user", "compliance"],
  "UserActivityLedgerService/ExportUserActions": ["compliance"],
  "UserActivityLedgerService/ListFills": ["compliance"],
  "UserActivityLedgerService/ExportFills": ["compliance"],
  "UserActivityLedgerService/ListSessionActivity": ["compliance"],
  "UserActivityLedgerService/ListSessionGaps": ["compliance", "operator"],
  "UserActivityLedgerService/ListEventConflicts": ["compliance"],
  "ParameterChangeAuditorService/CheckWrite": gate,
  "ParameterChangeAuditorService/ConfirmWrite": gate,
  "ParameterChangeAuditorService/RecordUngatedWrite": gate,
  "ParameterChangeAuditorService/ReconcileConfig": gate,
  "ParameterChangeAuditorService/ListParameterChanges": ["config-store", "compliance", "operator"],
  "ParameterChangeAuditorService/ExportParameterChanges": ["compliance"],
  "ParameterChangeAuditorService/GetConfigAsOf": ["config-store", "compliance", "operator"],
  "ParameterChangeAuditorService/ListBreakGlass": ["compliance", "operator"],
  "ParameterChangeAuditorService/ReviewBreakGlass": ["compliance", "operator"],
  "ReportService/StreamReports": ["compliance", "operator"],
  "BotConfigService/GetBotConfig": ["bot", "config-store", "account", "user", "compliance", "operator"],
  "BotConfigService/UpdateBotConfig": ["operator"],
  "AccessLogService/ListAccessLog": ["compliance"],
  "AccessLogService/ExportAccessLog": ["compliance"],
  "RetentionService/PlaceLegalHold": ["compliance"],
  "RetentionService/ReleaseLegalHold": ["compliance"],
  "RetentionService/ListLegalHolds": ["compliance", "operator"],
  "RetentionService/RunPurge": ["operator"],
  "RetentionService/ListPurgeRuns": ["compliance", "operator"],
} as const satisfies Record<string, readonly Role[]>;

/** A method of the contract, "Service/Method". */
export type ServiceMethod = keyof typeof mayCall;

export function isServiceMethod(text: string): text is ServiceMethod {
  return Object.hasOwn(mayCall, text);
}

/** The calls that read records: each leaves one row in the access log, refused ones too. */
export const readsRecords: ReadonlySet<ServiceMethod> = new Set<ServiceMethod>([
  "UserActivityLedgerService/ListUserActions",
  "UserActivityLedgerService/ExportUserActions",
  "ParameterChangeAuditorService/ListParameterChanges",
  "ParameterChangeAuditorService/ExportParameterChanges",
  "ParameterChangeAuditorService/GetConfigAsOf",
  "ParameterChangeAuditorService/ListBreakGlass",
  "ReportService/StreamReports",
  "UserActivityLedgerService/ListFills",
  "UserActivityLedgerService/ExportFills",
  "UserActivityLedgerService/ListSessionActivity",
  "UserActivityLedgerService/ListSessionGaps",
  "UserActivityLedgerService/ListEventConflicts",
  "AccessLogService/ListAccessLog",
  "AccessLogService/ExportAccessLog",
]);
