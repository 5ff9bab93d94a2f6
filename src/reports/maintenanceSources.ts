import { operationsTopic } from "../auditor/report.ts";
import { ledgerBotId, reportId, settlementTopic } from "../ledger/report.ts";
import { textOfMicros } from "../time.ts";
import { operations } from "./operations.ts";
import { settlement } from "./settlement.ts";
import { defineSource, micros } from "./source.ts";

const timeText = (text: string | null) => (text === null ? null : textOfMicros(Number(text)));

type RecoveryRow = {
  record_id: string;
  bot: string;
  from_micros: string;
  to_micros: string;
  buffered: string;
  flushed: string;
  folded: string;
  conflicting: string;
  refused: string;
  lost: string | null;
};

/** A replica was without the database, and what became of the records of that time. */
export const recoveries = defineSource<RecoveryRow>({
  topic: operationsTopic,
  from: "log.recovery t",
  columns: `t.record_id, t.bot, ${micros("t.from_at")} as from_micros, ${micros("t.to_at")} as to_micros,
    t.buffered, t.flushed, t.folded, t.conflicting, t.refused, t.lost`,
  render(row, entry) {
    const count = ({ buffered, flushed, folded, conflicting, refused, lost }: RecoveryRow) =>
      `"buffered":${buffered},"flushed":${flushed},"folded":${folded},"conflicting":${conflicting},"refused":${refused},"lost":${lost}`;
    const detailsJson = `{"from":"${timeText(row.from_micros)}","to":"${timeText(row.to_micros)}",${count(row)}}`;
    const report = row.bot === ledgerBotId ? settlement : operations;
    return [report(entry, "STORE_RECOVERED", { detailsJson }, { recordId: row.record_id })];
  },
});

type HoldRow = {
  hold_id: string;
  kind: string;
  wallet: string | null;
  session_id: string | null;
  bot_slug: string | null;
  param_name: string | null;
  from_micros: string | null;
  to_micros: string | null;
  reason: string;
  done_by: string;
};

const holdColumns = `h.hold_id, h.kind::text as kind, coalesce(h.wallet, h.identity) as wallet, h.session_id, h.bot_slug,
  h.param_name, ${micros("h.from_at")} as from_micros, ${micros("h.to_at")} as to_micros`;

function hold(eventType: string) {
  return (row: HoldRow, entry: Parameters<typeof settlement>[0]) => {
    const detailsJson = JSON.stringify({
      hold_id: row.hold_id,
      from: timeText(row.from_micros),
      to: timeText(row.to_micros),
      reason: row.reason,
    });
    const common = { recordedBy: row.done_by, detailsJson };
    return row.kind === "a"
      ? [
          settlement(entry, eventType, {
            ...common,
            walletAddress: row.wallet ?? "",
            sessionId: row.session_id ?? "",
          }),
        ]
      : [
          operations(entry, eventType, {
            ...common,
            auditedBot: row.bot_slug ?? "",
            paramName: row.param_name ?? "",
          }),
        ];
  };
}

export const holds = defineSource<HoldRow>({
  topic: settlementTopic,
  from: "maintenance.legal_hold t join maintenance.legal_hold h on h.hold_id = t.hold_id",
  columns: `${holdColumns}, t.reason, t.placed_by as done_by`,
  render: hold("LEGAL_HOLD_PLACED"),
});

export const holdReleases = defineSource<HoldRow>({
  topic: settlementTopic,
  from: "maintenance.legal_hold_release t join maintenance.legal_hold h on h.hold_id = t.hold_id",
  columns: `${holdColumns}, t.reason, t.released_by as done_by`,
  render: hold("LEGAL_HOLD_RELEASED"),
});

type RunRow = { run_id: string; started_by: string; started_micros: string };

export const purgeStarts = defineSource<RunRow>({
  topic: settlementTopic,
  from: "maintenance.purge_run t",
  columns: `t.run_id, t.started_by, ${micros("t.started_at")} as started_micros`,
  render(row, entry) {
    const detailsJson = JSON.stringify({ run_id: row.run_id });
    return [settlement(entry, "PURGE_STARTED", { recordedBy: row.started_by, detailsJson })];
  },
});

/** The end of a run of the purge, with what it did to each month. */
export const purgeEnds = defineSource<RunRow & { steps: string }>({
  topic: settlementTopic,
  from: "maintenance.purge_end t join maintenance.purge_run r on r.run_id = t.run_id",
  columns: `t.run_id, r.started_by, ${micros("r.started_at")} as started_micros, coalesce((
      select json_agg(json_build_object('table', s.table_name, 'month', to_char(s.month, 'YYYY-MM'), 'action', s.action,
        'records', s.records, 'held_records', s.held_records) order by s.seq)
      from maintenance.purge_step s where s.run_id = t.run_id), '[]'::json)::text as steps`,
  render(row, entry) {
    const started = JSON.stringify({ run_id: row.run_id, started_at: timeText(row.started_micros) });
    const detailsJson = `${started.slice(0, -1)},"steps":${row.steps}}`;
    return [settlement(entry, "PURGE_ENDED", { recordedBy: row.started_by, detailsJson })];
  },
});

type FloorRow = {
  occasion: string;
  bot_id: string;
  param_name: string;
  value_json: string;
  reason_codes: string[];
  asked_by: string | null;
};

/** A parameter of the service's own is below a floor, or was to be and was refused: that, and each code of it (R2, R3). */
export const floorNotices = defineSource<FloorRow>({
  topic: operationsTopic,
  from: "maintenance.floor_notice t",
  columns: "t.occasion, t.bot_id, t.param_name, t.value_json, t.reason_codes, t.asked_by",
  render(row, entry) {
    const { occasion, bot_id: botId, param_name: paramName, asked_by: askedBy } = row;
    const details = { occasion, bot_id: botId, param_name: paramName };
    const detailsJson = `${JSON.stringify(details).slice(0, -1)},"value":${row.value_json}}`;
    const common = { recordedBy: askedBy ?? "", detailsJson };
    const eventTypes = [...(occasion === "START" ? [] : ["BOT_CONFIG_REFUSED"]), ...row.reason_codes];
    return eventTypes.map((eventType, part) =>
      eventType === "RETENTION_BELOW_REGULATORY_MINIMUM"
        ? settlement(entry, eventType, common, { part })
        : operations(entry, eventType, { ...common, auditedBot: botId, paramName }, { part }),
    );
  },
});

type ErasureRow = {
  receipt_id: string;
  identity: string;
  record_id: string;
  asked_by: string;
  records: string;
  tables_json: string;
};

/**
 * The receipt of a scrub (R11). It names the report of the closing, in which a reader has had the wallet: with it,
 * a reader finds what it has to scrub in copies of its own.
 */
export const erasures = defineSource<ErasureRow>({
  topic: settlementTopic,
  from: "ledger.erasure t",
  columns: "t.receipt_id, t.identity, t.record_id, t.asked_by, t.records, t.tables_json",
  render(row, entry) {
    const ids = JSON.stringify({ receipt_id: row.receipt_id, closing_report_id: reportId(row.record_id) });
    const detailsJson = `${ids.slice(0, -1)},"records":${row.records},"tables":${row.tables_json}}`;
    const fields = { walletAddress: row.identity, recordedBy: row.asked_by, detailsJson };
    return [settlement(entry, "ACCOUNT_SCRUBBED", fields)];
  },
});
