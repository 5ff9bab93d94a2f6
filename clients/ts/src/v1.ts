/** The messages and services of the contract, generated. Nothing here needs Node: it runs in browsers too. */
export * from "./gen/access_log_pb.ts";
export * from "./gen/access_log_service_pb.ts";
export * from "./gen/bot_config_pb.ts";
export * from "./gen/bot_config_service_pb.ts";
export * from "./gen/error_reason_pb.ts";
export * from "./gen/export_pb.ts";
export * from "./gen/parameter_change_auditor_pb.ts";
export * from "./gen/parameter_change_auditor_service_pb.ts";
export * from "./gen/report_pb.ts";
export * from "./gen/report_service_pb.ts";
export * from "./gen/report_stream_pb.ts";
export * from "./gen/retention_pb.ts";
export * from "./gen/retention_service_pb.ts";
export * from "./gen/user_activity_ledger_pb.ts";
export * from "./gen/user_activity_ledger_service_pb.ts";
