import {
  type Comparison,
  type Context,
  type Figure,
  type Goal,
  type Measurement,
  meets,
} from "./comparison.ts";

/** One measurement of each side; a figure has no peer. */
export interface Turn {
  readonly ours: Measurement;
  readonly peer: Measurement | undefined;
}

/** The outcome of a comparison, or of a figure. */
export interface Outcome {
  readonly name: string;
  readonly oursIs: string;
  readonly peerIs: string | undefined;
  readonly unit: string;
  readonly goal: Goal | undefined;
  /** Medians over the turns. */
  readonly ours: number;
  readonly peer: number | undefined;
  /** ours ÷ peer. */
  readonly ratio: number | undefined;
  /** Whether the ratio, or the figure, meets the goal. */
  readonly ok: boolean | undefined;
  /** Every turn, in order: how far the figures spread tells how far to trust them. */
  readonly turns: readonly Turn[];
}

/**
 * Measures both sides in turns, so that a machine that becomes slower does so for both. A turn before the first is
 * not counted: servers take seconds of load until all that is hot is compiled. An abort ends it after the
 * measurement that is under way.
 */
export async function compare(
  of: Comparison | Figure,
  context: Context,
  turns: number,
  signal: AbortSignal,
  onTurn: (number: number, turn: Turn) => void,
): Promise<Outcome> {
  await using _opened = await of.open?.(context);
  const measured: Turn[] = [];
  for (let number = 0; number <= turns; number++) {
    const turn = await takeTurn(of, context, signal);
    if (number > 0) measured.push(turn);
    onTurn(number, turn);
  }
  const ours = median(measured.map((turn) => turn.ours.value));
  const { name, unit, goal } = of;
  if (of.kind === "figure") {
    const ok = meets(ours, of.goal);
    const alone = { peerIs: undefined, peer: undefined, ratio: undefined };
    return { name, oursIs: of.is, unit, goal, ours, ok, turns: measured, ...alone };
  }
  const { oursIs, peerIs } = of;
  const peer = median(measured.map((turn) => turn.peer?.value ?? Number.NaN));
  const ratio = ours / peer;
  const ok = goal && meets(ratio, goal);
  return { name, oursIs, peerIs, unit, goal, ours, peer, ratio, ok, turns: measured };
}

async function takeTurn(of: Comparison | Figure, context: Context, signal: AbortSignal): Promise<Turn> {
  const ours = await (of.kind === "figure" ? of.measure(context) : of.ours(context));
  signal.throwIfAborted();
  const peer = of.kind === "figure" ? undefined : await of.peer(context);
  signal.throwIfAborted();
  return { ours, peer };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}
