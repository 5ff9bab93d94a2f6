import type { Goal } from "./comparison.ts";
import type { Outcome } from "./turns.ts";

const head = ["ours ÷ peer", "unit", "ours", "peer", "ratio", "each turn", "goal", "ok"];

/** A table for people, in Markdown. */
export function formatTable(outcomes: readonly Outcome[]): string {
  const rows = [head, ...outcomes.map(row)];
  const widths = head.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [line(head), rule, ...rows.slice(1).map(line)].join("\n");
}

function row({ oursIs, peerIs, unit, ours, peer, ratio, turns, goal, ok }: Outcome): string[] {
  const each = turns.map((turn) => turn.ours.value / (turn.peer?.value ?? 1));
  return [
    peerIs === undefined ? oursIs : `${oursIs} ÷ ${peerIs}`,
    unit,
    formatNumber(ours),
    peer === undefined ? "" : formatNumber(peer),
    ratio === undefined ? "" : ratio.toFixed(2),
    `${Math.min(...each).toFixed(2)} to ${Math.max(...each).toFixed(2)}`,
    goal === undefined ? "a limit" : formatGoal(goal),
    ok === undefined ? "" : ok ? "yes" : "no",
  ];
}

function formatGoal(goal: Goal): string {
  return "atLeast" in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
}

function formatNumber(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toFixed(1);
}
