import type { ConfigValue } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";

/** A write as a history has it, in the order of the log. */
export type ModelWrite = {
  readonly bot: string;
  readonly param: string;
  /** undefined: the write removed the parameter. */
  readonly value: string | undefined;
  readonly allowed: boolean;
  readonly ungated: boolean;
  readonly acceptedNs: bigint;
  /** What the caller claimed. */
  readonly changedNs: bigint | undefined;
  readonly decisionId: string;
  outcome: "APPLIED" | "ABORTED" | undefined;
};

export type ModelValue = {
  readonly param: string;
  readonly value: string;
  readonly decisionId: string;
  readonly unconfirmed: boolean;
  readonly acceptedNs: bigint;
};

const key = (name: string) => name.toLowerCase().replaceAll("_", "").replaceAll("-", "");

/** Every configuration of a history, told the slow way, with nothing that the service tells it with. */
export function configOf(
  writes: readonly ModelWrite[],
  question: { readonly bot: string; readonly basis: "ACCEPTED" | "CHANGED"; readonly throughNs: bigint },
): ModelValue[] {
  const last = new Map<string, { write: ModelWrite; atNs: bigint }>();
  for (const write of writes) {
    if (key(write.bot) !== key(question.bot) || !write.allowed || write.outcome === "ABORTED") continue;
    const atNs = question.basis === "CHANGED" ? (write.changedNs ?? write.acceptedNs) : write.acceptedNs;
    if (atNs > question.throughNs) continue;
    const before = last.get(key(write.param));
    // By ACCEPTED the log's order decides; by CHANGED the claimed time, and the log's order in a tie.
    if (question.basis === "CHANGED" && before !== undefined && before.atNs > atNs) continue;
    last.set(key(write.param), { write, atNs });
  }
  const values: ModelValue[] = [];
  for (const { write } of [...last].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, found]) => found)) {
    if (write.value === undefined) continue;
    values.push({
      param: write.param,
      value: write.value,
      decisionId: write.decisionId,
      unconfirmed: !write.ungated && write.outcome === undefined,
      acceptedNs: write.acceptedNs,
    });
  }
  return values;
}

/** An answer in the model's words. */
export function answered(values: readonly ConfigValue[]): ModelValue[] {
  return values.map((value) => ({
    param: value.paramName,
    value: value.valueJson,
    decisionId: value.decisionId,
    unconfirmed: value.unconfirmed,
    acceptedNs: nanosOf(value.acceptedAt),
  }));
}

export function nanosOf(time: { readonly seconds: bigint; readonly nanos: number } | undefined): bigint {
  if (time === undefined) throw new Error("there is no time");
  return time.seconds * 1_000_000_000n + BigInt(time.nanos);
}

export function timestampOf(nanos: bigint): { seconds: bigint; nanos: number } {
  return { seconds: nanos / 1_000_000_000n, nanos: Number(nanos % 1_000_000_000n) };
}
