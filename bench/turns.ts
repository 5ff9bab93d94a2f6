import { type Comparison, type Context, type Goal, type Measurement, meets } from "./comparison.ts";

/** One measurement of each side. */
export interface Turn {
  readonly ours: Measurement;
  readonly peer: Measurement;
}

/** The outcome of a comparison. */
export interface Outcome {
  readonly name: string;
  readonly oursIs: string;
  readonly peerIs: string;
  readonly unit: string;
  readonly goal: Goal;
  /** Medians over the turns. */
  readonly ours: number;
  readonly peer: number;
  /** ours ÷ peer. */
  readonly ratio: number;
  readonly ok: boolean;
  /** Every turn, in order: how far the figures spread tells how far to trust them. */
  readonly turns: readonly Turn[];
}

/**
 * Measures both sides in turns, so that a machine that becomes slower does so for both. A turn before the first is
 * not counted: servers take seconds of load until all that is hot is compiled. An abort ends it after the
 * measurement that is under way.
 */
export async function compare(
  comparison: Comparison,
  context: Context,
  turns: number,
  signal: AbortSignal,
  onTurn: (number: number, turn: Turn) => void,
): Promise<Outcome> {
  const measured: Turn[] = [];
  for (let number = 0; number <= turns; number++) {
    const ours = await comparison.ours(context);
    signal.throwIfAborted();
    const peer = await comparison.peer(context);
    signal.throwIfAborted();
    if (number > 0) measured.push({ ours, peer });
    onTurn(number, { ours, peer });
  }
  const { name, oursIs, peerIs, unit, goal } = comparison;
  const ours = median(measured.map((turn) => turn.ours.value));
  const peer = median(measured.map((turn) => turn.peer.value));
  const ratio = ours / peer;
  return { name, oursIs, peerIs, unit, goal, ours, peer, ratio, ok: meets(ratio, goal), turns: measured };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}
