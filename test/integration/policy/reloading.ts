import { setTimeout as sleep } from "node:timers/promises";
import { type Logger, pino } from "pino";
import { expect } from "vitest";

export type LogRecord = { readonly level: number; readonly msg: string } & Readonly<Record<string, unknown>>;

/** A logger, and what was said to it. */
export function recordingLog(): { log: Logger; records: readonly LogRecord[] } {
  const records: LogRecord[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => void records.push(JSON.parse(line)) });
  return { log, records };
}

/** Fast enough for a test; a file is taken after it was the same for two looks. */
export const limits = { configFileEveryMs: 20 };

const patienceMs = 15_000;

/** Waits until what `find` answers is as expected. */
export async function eventually(find: () => Promise<unknown>, expected: unknown): Promise<void> {
  const untilMs = performance.now() + patienceMs;
  for (;;) {
    const found = await find();
    if (JSON.stringify(found) === JSON.stringify(expected)) return;
    if (performance.now() > untilMs) expect(found).toEqual(expected);
    await sleep(20);
  }
}
