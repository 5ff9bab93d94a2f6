import type pg from "pg";
import { nameKey } from "../auditor/tiers.ts";
import { read } from "../db/read.ts";
import { rewritesOf } from "../log/rewrites.ts";
import {
  breakGlassReviews,
  configDrifts,
  confirmations,
  parameterChanges,
  ticketRechecks,
} from "./auditorSources.ts";
import type { Batch, Item, Report, Topic } from "./item.ts";
import { conflicts, fillLinks, fills, sessionGaps, userActions } from "./ledgerSources.ts";
import {
  erasures,
  floorNotices,
  holdReleases,
  holds,
  purgeEnds,
  purgeStarts,
  recoveries,
} from "./maintenanceSources.ts";
import { type Entry, type Found, keyOf, micros, type Source } from "./source.ts";

/** By the letter that log.entry has for them: every kind of record that has a position. */
const sources: ReadonlyMap<string, Source> = new Map([
  ["a", userActions],
  ["f", fills],
  ["l", fillLinks],
  ["g", sessionGaps],
  ["x", conflicts],
  ["s", erasures],
  ["c", parameterChanges],
  ["t", ticketRechecks],
  ["w", confirmations],
  ["d", configDrifts],
  ["r", recoveries],
  ["h", holds],
  ["u", holdReleases],
  ["p", purgeStarts],
  ["e", purgeEnds],
  ["b", breakGlassReviews],
  ["n", floorNotices],
]);

const scrubSource = "s";
/** What an item takes in memory beside its record's values, roughly. */
const itemBytes = 2_000;

export type ReadBatch = (epoch: number, after: number) => Promise<Batch>;

/**
 * Reads and renders the log behind a position: `maxRecords`, or the fewer that have maxBytes of values, but one
 * at least where there is one. Throws STORE_UNAVAILABLE.
 */
export function createReadBatch(options: {
  readonly pool: pg.Pool;
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** publish_to_audit_log as it is in force (R27). */
  readonly publishesOperations: () => boolean;
}): ReadBatch {
  const { pool, maxRecords, maxBytes, publishesOperations } = options;
  const rewrites = rewritesOf(pool, { tables: [], scrubs: "none", fromMicros: null, toMicros: null });

  async function readRecords(entries: readonly Entry[]): Promise<ReadonlyMap<string, Found>> {
    const kinds = [...Map.groupBy(entries, (entry) => entry.source)];
    const found = new Map<string, Found>();
    // One after the other: a reader has one connection at a time.
    for (const [letter, own] of kinds) {
      const source = sources.get(letter);
      if (source !== undefined) found.set(letter, await source.read(pool, own, maxBytes));
    }
    return found;
  }

  /** A month that is just going out of sight may come back: what is missing is looked for again. */
  async function readSurely(entries: readonly Entry[]): Promise<ReadonlyMap<string, Found>> {
    let found = await readRecords(entries);
    while (entries.some((entry) => isMissing(entry, found.get(entry.source)))) {
      const before = await rewrites.mark();
      found = await readRecords(entries);
      if ((await rewrites.mark()) === before) break;
    }
    return found;
  }

  return async (epoch, after) => {
    const entries = await readEntries(pool, epoch, after, maxRecords);
    const found = await readSurely(entries);
    const items: Item[] = [];
    let to = after;
    let bytes = 0;
    let isScrubbed = false;
    for (const entry of entries) {
      const own = found.get(entry.source);
      const record = own?.reports.get(keyOf(entry));
      if (bytes >= maxBytes || isCut(entry, own)) break;
      const topic = sources.get(entry.source)?.topic ?? "polytraders.reports.settlement";
      if (record === undefined) items.push(omitted(items, entry, topic, "PURGED"));
      else {
        for (const [part, report] of record.reports.entries()) {
          const item = itemOf(entry, part, report);
          if (item.topic === "polytraders.reports.settlement" || publishesOperations()) items.push(item);
          else if (part === 0) items.push(omitted(items, entry, item.topic, "NOT_PUBLISHED"));
        }
        bytes += record.bytes;
      }
      if (entry.source === scrubSource) isScrubbed = true;
      to = entry.position;
    }
    return { epoch, after, to, items, bytes: bytes + items.length * itemBytes, isScrubbed };
  };
}

function isMissing(entry: Entry, found: Found | undefined): boolean {
  return found?.reports.get(keyOf(entry)) === undefined && !isCut(entry, found);
}

/** Whether the record did not fit behind others of its kind. */
function isCut(entry: Entry, found: Found | undefined): boolean {
  if (found?.cutBehind === undefined) return false;
  const { xid, ord } = found.cutBehind;
  return BigInt(entry.xid) > BigInt(xid) || (entry.xid === xid && entry.ord > ord);
}

async function readEntries(pool: pg.Pool, epoch: number, after: number, limit: number): Promise<Entry[]> {
  type Row = { position: string; source: string; xid: string; ord: number; micros: string };
  const rows = await read<Row>(pool, {
    text: `select e.position::text as position, e.source::text as source, e.xid::text as xid, e.ord,
        ${micros("e.accepted_at")} as micros
      from log.entry e where e.epoch = $1::int and e.position > $2::bigint order by e.position limit $3::int`,
    values: [epoch, after, limit],
  });
  return rows.map((row) => ({
    epoch,
    position: Number(row.position),
    source: row.source,
    xid: row.xid,
    ord: row.ord,
    micros: Number(row.micros),
  }));
}

function itemOf(entry: Entry, part: number, report: Report): Item {
  const at = { epoch: entry.epoch, position: entry.position, part };
  const botKeys = [nameKey(report.report.botId)];
  if (report.kind === "operations" && report.report.auditedBot !== "") {
    botKeys.push(nameKey(report.report.auditedBot));
  }
  return {
    position: entry.position,
    part,
    topic: report.kind === "settlement" ? "polytraders.reports.settlement" : "polytraders.reports.operations",
    filtered: {
      eventType: report.report.eventType,
      botKeys,
      wallet: report.kind === "settlement" ? report.report.walletAddress.toLowerCase() : "",
    },
    message: {
      $typeName: "polytraders.governance.v1.StreamReportsResponse",
      at: positionOf(at),
      report:
        report.kind === "settlement"
          ? { case: "settlement", value: report.report }
          : { case: "operations", value: report.report },
    },
  };
}

export function positionOf(at: { readonly epoch: number; readonly position: number; readonly part: number }) {
  return {
    $typeName: "polytraders.governance.v1.LogPosition",
    epoch: BigInt(at.epoch),
    position: BigInt(at.position),
    part: at.part,
  } as const;
}

/** The item for a record that is not told: with those right before it, if they are not told for the same reason. */
function omitted(items: Item[], entry: Entry, topic: Topic, reason: "PURGED" | "NOT_PUBLISHED"): Item {
  let first = BigInt(entry.position);
  const last = items.at(-1);
  const before = last?.message.report;
  if (last?.topic === topic && before?.case === "omitted" && before.value.reason === reason) {
    first = before.value.firstPosition;
    items.pop();
  }
  const position = BigInt(entry.position);
  return {
    position: entry.position,
    part: 0,
    topic,
    filtered: undefined,
    message: {
      $typeName: "polytraders.governance.v1.StreamReportsResponse",
      at: positionOf({ ...entry, part: 0 }),
      report: {
        case: "omitted",
        value: {
          $typeName: "polytraders.governance.v1.OmittedRecords",
          firstPosition: first,
          lastPosition: position,
          records: position - first + 1n,
          reason,
        },
      },
    },
  };
}
