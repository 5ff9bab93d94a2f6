import { setTimeout as sleep } from "node:timers/promises";
import { toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  OperationsReportSchema,
  SettlementReportSchema,
} from "../../gen/ts/polytraders/governance/v1/report_pb.ts";
import type { StreamReportsResponse } from "../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import type { Topic } from "../reports/item.ts";
import type { ReadBatch } from "../reports/readBatch.ts";
import type { Link } from "./connection.ts";
import type { BusMetrics } from "./metrics.ts";
import { moveReportsPlace, type ReportsPlace, readAhead, readReportsPlace } from "./positions.ts";
import type { BusSettings } from "./settings.ts";
import type { StreamState } from "./streams.ts";
import type { Turn } from "./turns.ts";

export type Publishing = {
  readonly settings: BusSettings["reports"];
  readonly readBatch: ReadBatch;
  /** How often the log is looked at when there was nothing new. */
  readonly pollMs: number;
  readonly metrics: BusMetrics;
};

/**
 * Publishes the log to both topics (R27), from the committed place on, until the turn ends. The place moves once the bus
 * has confirmed everything up to it. After a crash some are sent again, and fold by their id, the report's own.
 */
export async function publish(turn: Turn<StreamState>, publishing: Publishing): Promise<void> {
  const { settings, metrics } = publishing;
  const { seen, signal, use } = turn;
  let at = await use((client) => readReportsPlace(client, seen.name, settings.from));
  using _shown = { [Symbol.dispose]: () => metrics.reportLag(0) };
  while (!signal.aborted) {
    const { records, nextEpoch } = await use((client) => readAhead(client, at));
    metrics.reportLag(records);
    const batch = records === 0 ? undefined : await publishing.readBatch(at.epoch, at.position);
    if (batch !== undefined) {
      await Promise.all(batch.items.map(({ topic, message }) => send(turn.link, topic, message)));
      await moveTo({ epoch: at.epoch, position: batch.to });
    } else if (nextEpoch !== undefined) {
      // Nothing is added to an epoch that is over.
      await moveTo({ epoch: nextEpoch, position: 0 });
    } else await sleep(publishing.pollMs, undefined, { signal }).catch(() => undefined);
  }

  async function moveTo(to: ReportsPlace): Promise<void> {
    await use((client) => moveReportsPlace(client, seen.name, at, to));
    at = to;
  }

  async function send(link: Link, topic: Topic, { report }: StreamReportsResponse): Promise<void> {
    // Purged, or not to be published (R27).
    if (report.case !== "settlement" && report.case !== "operations") return;
    const headers = link.newHeaders();
    headers.set("content-type", `application/${settings.format}`);
    let body = encoded(report, settings.format);
    if (Buffer.byteLength(body) > link.maxPayloadBytes - headersMaxBytes) {
      headers.set("governance-cut", "true");
      body = encoded(withoutValues(report), settings.format);
    }
    await link.js.publish(topic, body, {
      headers,
      msgID: report.value.reportId,
      expect: { streamName: seen.name },
    });
    metrics.published(topic);
  }
}

/** What headers take, at most; of what the bus takes at all. */
const headersMaxBytes = 1024;

type Told = Extract<StreamReportsResponse["report"], { case: "settlement" | "operations" }>;

const names = { useProtoFieldName: true };

function encoded(report: Told, format: "json" | "protobuf"): Uint8Array | string {
  if (report.case === "settlement") {
    return format === "json"
      ? toJsonString(SettlementReportSchema, report.value, names)
      : toBinary(SettlementReportSchema, report.value);
  }
  return format === "json"
    ? toJsonString(OperationsReportSchema, report.value, names)
    : toBinary(OperationsReportSchema, report.value);
}

/** The report without what may be large, for a bus that takes no more: its position leads to the whole. */
function withoutValues(report: Told): Told {
  if (report.case === "settlement") {
    const { actionParams: _, actionParamsJson: __, detailsJson: ___, ...value } = report.value;
    return { case: "settlement", value };
  }
  const { oldValue: _, newValue: __, oldValueJson: ___, newValueJson: ____, ...rest } = report.value;
  const { detailsJson: _____, ...value } = rest;
  return { case: "operations", value };
}
