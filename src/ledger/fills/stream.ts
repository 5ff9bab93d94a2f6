import { create } from "@bufbuild/protobuf";
import {
  type ExecutionReport,
  type StreamExecutionReportsRequest,
  type StreamExecutionReportsResponse,
  StreamExecutionReportsResponseSchema,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { CallContext } from "../../server/call.ts";
import type { LedgerDependencies } from "../dependencies.ts";
import { createProducerStream, type ProducerMessage } from "../producerStream.ts";
import { withBookmark } from "../storeActions.ts";
import type { FillOutcome, FillRow } from "./append.ts";
import { parseExecutionReport } from "./executionReport.ts";
import { fillRow } from "./storeFills.ts";

/** StreamExecutionReports: fills in batches, resumed where the producer left off. */
export function createFillStream(dependencies: LedgerDependencies) {
  const stream = createProducerStream<ExecutionReport, FillRow, FillOutcome>(
    {
      kind: "f",
      items: "reports",
      journal: dependencies.fillJournal,
      name: ({ fillId, tradeId, orderId }) => (fillId === "" ? `${tradeId}:${orderId}` : fillId),
      row: (report, path, subject) => fillRow(parseExecutionReport(report, path), subject, dependencies),
      withBookmark: (row, bookmark) => withBookmark(row, bookmark, dependencies.identities),
      settle: (_, outcome) => outcome,
    },
    dependencies,
  );

  return async function* (
    requests: AsyncIterable<StreamExecutionReportsRequest>,
    context: CallContext,
  ): AsyncGenerator<StreamExecutionReportsResponse> {
    for await (const message of stream(messagesOf(requests), context)) {
      yield create(StreamExecutionReportsResponseSchema, { message });
    }
  };
}

async function* messagesOf(
  requests: AsyncIterable<StreamExecutionReportsRequest>,
): AsyncGenerator<ProducerMessage<ExecutionReport>> {
  for await (const { message } of requests) {
    if (message.case === "open") yield { kind: "open", open: message.value };
    else if (message.case === "batch") {
      const { firstOffset, reports: items } = message.value;
      yield { kind: "batch", batch: { firstOffset, items } };
    } else yield { kind: "none" };
  }
}
