import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Call } from "../load/history.ts";
import type { Finding } from "./findings.ts";

/** A row of a spool, as its file says. */
export type SpoolRow = { readonly seq: number; readonly journal: string; readonly body: string };

/** What waits in the spool of a data folder; undefined where there is no spool. */
export function readSpool(dataDir: string): readonly SpoolRow[] | undefined {
  const path = join(dataDir, "spool", "spool.db");
  if (!existsSync(path)) return undefined;
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return db
      .prepare("select seq, journal, body from entry order by seq")
      .all()
      .map(({ seq, journal, body }) => ({
        seq: Number(seq),
        journal: String(journal),
        body: String(body),
      }));
  } finally {
    db.close();
  }
}

/** After the drain nothing waits. */
export function checkSpools(dataDirs: readonly string[]): readonly Finding[] {
  return dataDirs.flatMap((dataDir): Finding[] => {
    const rows = readSpool(dataDir) ?? [];
    if (rows.length === 0) return [];
    const text = `${rows.length} records are left in ${dataDir}/spool, the first of ${rows[0]?.journal}`;
    return [{ kind: "spool", text }];
  });
}

/** Every text in the records, with its journal's name before those of confirmations, which name decisions. */
export function textsOf(rows: readonly SpoolRow[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { journal, body } of rows) {
    const prefix = journal === "confirmations" ? "confirmations " : "";
    JSON.parse(body, (_, value: unknown) => {
      if (typeof value === "string") found.add(prefix + value);
      return value;
    });
  }
  return found;
}

/** Whether the record that was acked by this call is among the texts. */
export function isHeld(call: Call, held: ReadonlySet<string>): boolean {
  if (call.method === "ConfirmWrite") return held.has(`confirmations ${call.id}`);
  const { answer } = call;
  if (call.method === "CheckWrite" && answer?.kind === "acked") return held.has(answer.recordId ?? "");
  return held.has(call.id);
}
