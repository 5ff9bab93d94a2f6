import type { Call, Content, History } from "../load/history.ts";
import type { Finding } from "./findings.ts";
import type { Records, Row } from "./records.ts";
import { isHeld } from "./spool.ts";

/** What became of all that was acknowledged. */
export type Found = {
  readonly acked: number;
  readonly buffered: number;
  readonly found: number;
  readonly findings: readonly Finding[];
  /** The row of each record that was found, by the record's key. */
  readonly rows: ReadonlyMap<string, Row>;
};

/** All tries of one record. */
export type Tries = { readonly key: string; readonly calls: Call[] };

export function triesOf(history: History): readonly Tries[] {
  const tries = new Map<string, Tries>();
  for (const call of history.calls) {
    const key = `${kindOf(call)} ${call.id}`;
    const known = tries.get(key);
    if (known === undefined) tries.set(key, { key, calls: [call] });
    else known.calls.push(call);
  }
  return [...tries.values()];
}

function kindOf({ method }: Call): string {
  return method === "StreamUserActions" ? "RecordUserAction" : method;
}

/** Looks for every acknowledged record: exactly once, with the content that was acknowledged. */
export function checkAcked(history: History, records: Records, spooled: ReadonlySet<string>): Found {
  const findings: Finding[] = [];
  const rows = new Map<string, Row>();
  let acked = 0;
  let buffered = 0;
  const decisions = decisionsById(records.decisions);
  for (const { key, calls } of triesOf(history)) {
    const told = calls.filter((call) => call.answer?.kind === "acked");
    const first = told[0];
    if (first === undefined) continue;
    acked++;
    if (first.answer?.kind === "acked" && first.answer.durability === "buffered") buffered++;
    const before = findings.length;
    const missing = isHeld(first, spooled) ? "spool" : "lost";
    const row = lookFor(key, told, { records, decisions, missing }, findings);
    if (findings.length === before && row !== undefined) rows.set(key, row);
  }
  findings.push(...repeated(records), ...excess(history, records), ...invented(history, records));
  return { acked, buffered, found: rows.size, findings, rows };
}

function lookFor(
  key: string,
  told: readonly Call[],
  among: {
    readonly records: Records;
    readonly decisions: ReadonlyMap<string, readonly Row[]>;
    /** What it is when it is not on record: still waiting in a spool, or lost. */
    readonly missing: "spool" | "lost";
  },
  findings: Finding[],
): Row | undefined {
  const { records, decisions, missing } = among;
  const call = told[0];
  if (call === undefined) return undefined;
  const say = (kind: Finding["kind"], what: string) => findings.push({ kind, text: `${key}: ${what}` });
  switch (call.method) {
    case "RecordUserAction":
    case "StreamUserActions": {
      const rows = records.actions.get(call.id) ?? [];
      const [row] = rows;
      if (row === undefined) return void say(missing, `${describe(told)} and is not on record`);
      if (rows.length > 1) say("duplicated", `is on record ${rows.length} times`);
      for (const each of told) {
        if (same(each.content, row.content)) continue;
        const kept = (records.conflicts.get(call.id) ?? []).some((other) =>
          same(each.content, other.content),
        );
        if (!kept)
          say("altered", `${describe([each])}, and that content is neither on record nor a conflict`);
      }
      return row;
    }
    case "RecordExecutionReport": {
      const rows = (records.fills.get(call.id) ?? []).filter((row) => same(call.content, row.content));
      const [row] = rows;
      if (row === undefined) return void say(missing, `${describe(told)} and is not on record`);
      if (rows.length > 1) say("duplicated", `is on record ${rows.length} times`);
      return row;
    }
    case "ConfirmWrite": {
      const id = records.aliases.get(call.id) ?? call.id;
      const rows = records.confirmations.get(id) ?? [];
      const [row] = rows;
      if (row === undefined) return void say(missing, `${describe(told)} and is not on record`);
      if (rows.length > 1) say("duplicated", `is on record ${rows.length} times`);
      if (row.content.outcome !== call.content.outcome) say("altered", `is ${row.content.outcome} on record`);
      return row;
    }
    case "CheckWrite": {
      let found: Row | undefined;
      // Every id that a caller was given has to lead to the one record.
      for (const each of told) {
        const given = each.answer?.kind === "acked" ? (each.answer.recordId ?? "") : "";
        const rows = decisions.get(records.aliases.get(given) ?? given) ?? [];
        const [row] = rows;
        if (row === undefined)
          return void say(missing, `${describe([each])} as ${given} and is not on record`);
        if (rows.length > 1) say("duplicated", `decision ${given} is on record ${rows.length} times`);
        const kept = records.conflicting.has(given) ? { ...each.content, write_id: null } : each.content;
        if (!same(kept, row.content)) say("altered", `${JSON.stringify(row.content)} is on record`);
        if (found !== undefined && found.recordId !== row.recordId && !records.conflicting.has(given))
          say("duplicated", "is on record as two decisions");
        found = row;
      }
      return found;
    }
  }
}

function decisionsById(rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.recordId);
    if (group === undefined) groups.set(row.recordId, [row]);
    else group.push(row);
  }
  return groups;
}

function describe(told: readonly Call[]): string {
  return told
    .map(({ answer, replica, answeredMs }) => {
      const how = answer?.kind === "acked" ? answer.durability : "not";
      return `was acked ${how} by ${replica} at ${Math.round(answeredMs)} ms`;
    })
    .join(" and ");
}

/** Whether a row holds what was sent. */
function same(sent: Content, row: Content): boolean {
  return Object.entries(sent).every(([name, value]) => row[name] === value);
}

/** Records that stand twice, acknowledged or not. */
function* repeated(records: Records): Generator<Finding> {
  for (const [id, rows] of records.actions) {
    if (rows.length > 1) yield { kind: "duplicated", text: `event ${id} is on record ${rows.length} times` };
  }
  for (const [id, rows] of records.fills) {
    const contents = new Set(rows.map(({ content }) => JSON.stringify(content)));
    if (contents.size < rows.length) yield { kind: "duplicated", text: `fill ${id} is on record repeatedly` };
  }
  const writes = new Map<string, number>();
  const ids = new Map<string, number>();
  for (const { content, recordId } of records.decisions) {
    ids.set(recordId, (ids.get(recordId) ?? 0) + 1);
    if (content.write_id === null || content.write_id === undefined) continue;
    const key = `${content.recorded_by} ${content.write_id}`;
    writes.set(key, (writes.get(key) ?? 0) + 1);
  }
  for (const [key, count] of writes) {
    if (count > 1) yield { kind: "duplicated", text: `write ${key} is on record ${count} times` };
  }
  for (const [key, count] of ids) {
    if (count > 1) yield { kind: "duplicated", text: `decision ${key} is on record ${count} times` };
  }
}

/** Decisions that stand more often than anybody asked for them. */
function* excess(history: History, records: Records): Generator<Finding> {
  const asked = new Map<string, number>();
  for (const { method, content } of history.calls) {
    if (method !== "CheckWrite") continue;
    const key = writeOf(content);
    asked.set(key, (asked.get(key) ?? 0) + 1);
  }
  const recorded = new Map<string, number>();
  for (const { content } of records.decisions) {
    const key = writeOf(content);
    recorded.set(key, (recorded.get(key) ?? 0) + 1);
  }
  for (const [key, count] of recorded) {
    const times = asked.get(key) ?? 0;
    if (times > 0 && count > times) {
      yield {
        kind: "duplicated",
        text: `${key} was asked for ${times} times and is on record ${count} times`,
      };
    }
  }
}

function writeOf(content: Content): string {
  return `${content.bot_slug} ${content.param_name} ${content.old_value_json} → ${content.new_value_json}`;
}

/** Records that nobody sent. */
function* invented(history: History, records: Records): Generator<Finding> {
  const sent = new Map<string, Content[]>();
  for (const call of history.calls) {
    if (call.method !== "RecordUserAction" && call.method !== "StreamUserActions") continue;
    const known = sent.get(call.id);
    if (known === undefined) sent.set(call.id, [call.content]);
    else known.push(call.content);
  }
  for (const [id, rows] of records.actions) {
    for (const { content } of rows) {
      if (sent.get(id)?.some((each) => same(each, content)) !== true) {
        yield { kind: "invented", text: `event ${id} is on record with content that nobody sent` };
      }
    }
  }
}
