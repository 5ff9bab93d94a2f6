import { availableParallelism, loadavg } from "node:os";
import type { Outcome } from "./stage.ts";

/** What became of a scenario. */
export type Row =
  | ({
      readonly kind: "played";
      readonly name: string;
      readonly seed: number;
      readonly seconds: number;
    } & Outcome)
  | { readonly kind: "skipped"; readonly name: string; readonly seed: number; readonly why: string }
  | { readonly kind: "broken"; readonly name: string; readonly seed: number; readonly cause: string };

type Played = Extract<Row, { kind: "played" }>;

const columns: readonly (readonly [string, (row: Played) => number | string])[] = [
  ["faults", (row) => row.faults],
  ["calls", (row) => row.calls],
  ["acked", (row) => row.acked],
  ["buffered", (row) => row.buffered],
  ["found once", (row) => row.found],
  ["lost", (row) => count(row, "lost")],
  ["doubled", (row) => count(row, "duplicated")],
  ["other", (row) => row.findings.length - count(row, "lost") - count(row, "duplicated")],
  ["CheckWrites", (row) => row.checkWrites],
  ["slowest ms", (row) => Math.round(row.slowestCheckWriteMs)],
  ["ledger ms", (row) => Math.round(row.slowestLedgerMs)],
  ["s", (row) => row.seconds.toFixed(1)],
];

function count(row: Played, kind: string): number {
  return row.findings.filter((finding) => finding.kind === kind).length;
}

export function printTable(rows: readonly Row[], seconds: number): void {
  const played = rows.filter((row) => row.kind === "played");
  const width = Math.max(8, ...rows.map(({ name }) => name.length));
  const line = (name: string, cells: readonly (number | string)[]) =>
    [name.padEnd(width), ...cells.map((cell, i) => String(cell).padStart(columns[i]?.[0].length ?? 0))].join(
      "  ",
    );
  console.log(
    `\n${line(
      "scenario",
      columns.map(([title]) => title),
    )}`,
  );
  for (const row of rows) {
    if (row.kind === "played") {
      console.log(
        line(
          row.name,
          columns.map(([, cell]) => cell(row)),
        ),
      );
      for (const note of row.notes) console.log(`${" ".repeat(width)}  ${note}`);
    } else
      console.log(`${row.name.padEnd(width)}  ${row.kind === "skipped" ? `left out: ${row.why}` : "broke"}`);
  }
  const sum = (of: (row: Played) => number) => played.reduce((total, row) => total + of(row), 0);
  const most = (of: (row: Played) => number) => Math.round(Math.max(0, ...played.map(of)));
  console.log(
    `\n${sum((row) => row.faults)} faults, ${sum((row) => row.calls)} calls, ${sum((row) => row.acked)} records acked (${sum(
      (row) => row.buffered,
    )} buffered), ${sum((row) => row.found)} found once; ${sum((row) => row.checkWrites)} CheckWrites, the slowest ${most(
      (row) => row.slowestCheckWriteMs,
    )} ms; ${Math.round(seconds)} s`,
  );
  const [busy = 0] = loadavg();
  if (busy > 2 * availableParallelism()) {
    console.log(`the machine is busy (load ${busy.toFixed(1)}): what is late may be late for that`);
  }
  const unsure = sum((row) => row.unsure);
  if (unsure > 0)
    console.log(`${unsure} calls were slow while the machine had no core for them, and were not judged`);
  const errors = new Map<string, number>();
  for (const row of played)
    for (const [name, times] of row.errors) errors.set(name, (errors.get(name) ?? 0) + times);
  console.log(
    `errors told to callers: ${[...errors].map(([name, times]) => `${name} ${times}`).join(", ") || "none"}`,
  );
}

const shown = 8;

/** Each kind of finding, its first few, and how to see them again. */
export function printFindings(row: Row): void {
  const again = `npm run test:faults -- --only ${row.name} --seed ${row.seed}`;
  if (row.kind === "broken") console.error(`${row.name} broke: ${row.cause}\n  again: ${again}`);
  if (row.kind !== "played" || row.findings.length === 0) return;
  console.error(`${row.name}: ${row.findings.length} findings; again: ${again}`);
  for (const kind of new Set(row.findings.map((finding) => finding.kind))) {
    const of = row.findings.filter((finding) => finding.kind === kind);
    for (const { text } of of.slice(0, shown)) console.error(`  ${kind}: ${text}`);
    if (of.length > shown) console.error(`  ${kind}: and ${of.length - shown} more`);
  }
}
