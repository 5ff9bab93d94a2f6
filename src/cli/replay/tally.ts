import { shown } from "../output/cell.ts";
import { count } from "../output/count.ts";
import type { Kind } from "./rows.ts";

/** A row that is not on record, and why. */
type Refusal = { readonly line: number; readonly reason: string; readonly message: string };

/** Refusals told in full; the others are counted by reason. */
const examplesMax = 10;

/** What became of the rows of one file. */
export class Tally {
  readonly file: string;
  kind: Kind | undefined;
  /** Rows that went to the service. */
  sent = 0;
  recorded = 0;
  /** Of those recorded: durable in a replica's spool. */
  buffered = 0;
  /** On record before, with the same content. */
  duplicates = 0;
  /** Parameter changes that the policy rejects; they are on record all the same. */
  rejected = 0;
  readonly reasons = new Map<string, number>();
  readonly examples: Refusal[] = [];

  constructor(file: string) {
    this.file = file;
  }

  refuse(refusal: Refusal): void {
    this.reasons.set(refusal.reason, (this.reasons.get(refusal.reason) ?? 0) + 1);
    if (this.examples.length < examplesMax) this.examples.push(refusal);
  }

  get refused(): number {
    return [...this.reasons.values()].reduce((sum, number) => sum + number, 0);
  }

  /** Rows whose end is known. */
  get answered(): number {
    return this.recorded + this.duplicates + this.refused;
  }

  toJSON(): object {
    return {
      file: this.file,
      kind: this.kind ?? null,
      sent: this.sent,
      recorded: this.recorded,
      buffered: this.buffered,
      duplicates: this.duplicates,
      rejected: this.rejected,
      refused: this.refused,
      reasons: Object.fromEntries(this.reasons),
      examples: this.examples,
    };
  }

  toString(): string {
    const parts = [
      `${count(this.sent)} sent`,
      `${count(this.recorded)} recorded${this.buffered === 0 ? "" : ` (${count(this.buffered)} in the spool)`}`,
      `${count(this.duplicates)} on record before`,
      `${count(this.refused)} refused`,
    ];
    if (this.rejected > 0) parts.push(`${count(this.rejected)} against the policy`);
    const lines = [`${shown(this.file)}: ${this.kind ?? "nothing"}, ${parts.join(", ")}`];
    for (const [reason, number] of this.reasons) lines.push(`  refused ${count(number)} × ${reason}`);
    for (const { line, message } of this.examples) lines.push(`    line ${line}: ${shown(message)}`);
    if (this.refused > this.examples.length)
      lines.push(`    and ${count(this.refused - this.examples.length)} more`);
    return lines.join("\n");
  }
}
