import type { History } from "../load/history.ts";
import { triesOf } from "./acked.ts";
import type { Finding } from "./findings.ts";
import type { Row } from "./records.ts";

/**
 * Records of one key through one replica: what was acknowledged before the other was first sent comes before
 * it in the log. Calls that overlap may come in either order.
 */
export function checkOrder(history: History, rows: ReadonlyMap<string, Row>): readonly Finding[] {
  type Placed = {
    readonly key: string;
    readonly sentMs: number;
    readonly ackedMs: number;
    readonly position: number;
  };
  const groups = new Map<string, Placed[]>();
  for (const { key, calls } of triesOf(history)) {
    const row = rows.get(key);
    const orderKey = calls.find((call) => call.orderKey !== undefined)?.orderKey;
    const replicas = new Set(calls.map(({ replica }) => replica));
    if (row?.position === null || row === undefined || orderKey === undefined || replicas.size !== 1)
      continue;
    const acks = calls.filter((call) => call.answer?.kind === "acked");
    const placed = {
      key,
      sentMs: Math.min(...calls.map(({ sentMs }) => sentMs)),
      ackedMs: Math.min(...acks.map(({ answeredMs }) => answeredMs)),
      position: row.position,
    };
    const group = `${[...replicas][0]} ${orderKey}`;
    const known = groups.get(group);
    if (known === undefined) groups.set(group, [placed]);
    else known.push(placed);
  }
  const findings: Finding[] = [];
  for (const [group, placed] of groups) {
    const bySent = placed.toSorted((a, b) => a.sentMs - b.sentMs);
    const byAcked = placed.toSorted((a, b) => a.ackedMs - b.ackedMs);
    let next = 0;
    let last: Placed | undefined;
    for (const each of bySent) {
      for (
        let ended = byAcked[next];
        ended !== undefined && ended.ackedMs < each.sentMs;
        ended = byAcked[++next]
      ) {
        if (last === undefined || ended.position > last.position) last = ended;
      }
      if (last !== undefined && last.position > each.position) {
        const text = `${group}: ${last.key}, acked before ${each.key} was sent, comes after it (${last.position} > ${each.position})`;
        findings.push({ kind: "misordered", text });
      }
    }
  }
  return findings;
}
