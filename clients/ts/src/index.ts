export { type Connection, type ConnectionOptions, connectTo, type Token } from "./connection.ts";
export { ConfigError, NotKeptError, RecorderFullError } from "./errors.ts";
export { ExportError, type ExportProblem } from "./export/error.ts";
export {
  type ExportOptions,
  exportAccessLog,
  exportFills,
  exportParameterChanges,
  exportUserActions,
} from "./export/export.ts";
export {
  type CallOptions,
  type Decision,
  type Gate,
  type GateOptions,
  openGate,
  type RefusedWrite,
  type Write,
} from "./gate/gate.ts";
export type { Log } from "./log.ts";
export {
  type ActionInit,
  openRecorder,
  type Recorder,
  type RecorderOptions,
  type RefusedRecord,
  type ReportInit,
} from "./recorder/recorder.ts";
export { type Ours, reportsOfTrade } from "./venue/venue.ts";
