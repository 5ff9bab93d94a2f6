import { type Logger, pino } from "pino";

/** A log that a test reads: each record as it would be written. */
export type LogRecords = {
  readonly log: Logger;
  /** The records that carry a reason code, in their order. */
  withReason(): Record<string, unknown>[];
  /** Every record. */
  records(): Record<string, unknown>[];
  /** All of it, as text. */
  text(): string;
};

const levelNames: Record<number, string> = { 20: "debug", 30: "info", 40: "warn", 50: "error" };

export function logRecords(level = "info"): LogRecords {
  const lines: string[] = [];
  const log = pino({ level, base: null, timestamp: false }, { write: (line) => lines.push(line) });
  return {
    log,
    text: () => lines.join(""),
    records: () => lines.map((line) => JSON.parse(line)),
    withReason: () =>
      lines
        .map((line) => JSON.parse(line))
        .filter((record) => "reasonCode" in record)
        .map(({ level, msg: _, ...rest }) => ({ level: levelNames[level], ...rest })),
  };
}
