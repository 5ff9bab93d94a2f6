import { hostname } from "node:os";
import { type Logger, pino } from "pino";

/** The service's log: JSON lines on stdout. `more` is in each of them. */
export function createLog(level: string, more: Readonly<Record<string, unknown>> = {}): Logger {
  const base = { pid: process.pid, hostname: hostname(), ...more };
  return pino({ level, base, serializers: { err: errorFields } });
}

/**
 * What the log says of an error. Of a database's error only its code and names: its message and detail
 * may quote the values of a row.
 */
export function errorFields(cause: unknown): Record<string, unknown> {
  if (!(cause instanceof Error)) return { type: typeof cause };
  if ("severity" in cause) {
    const fields: Record<string, unknown> = { type: "DatabaseError" };
    for (const name of ["code", "schema", "table", "column", "constraint", "routine"]) {
      if (name in cause) fields[name] = Reflect.get(cause, name);
    }
    return fields;
  }
  const fields: Record<string, unknown> = { type: cause.name, message: cause.message, stack: cause.stack };
  if (cause.cause !== undefined) fields.cause = errorFields(cause.cause);
  return fields;
}
