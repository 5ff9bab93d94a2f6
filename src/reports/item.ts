import type { OperationsReport, SettlementReport } from "../../gen/ts/polytraders/governance/v1/report_pb.ts";
import type { StreamReportsResponse } from "../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";

export const topics = ["polytraders.reports.settlement", "polytraders.reports.operations"] as const;
export type Topic = (typeof topics)[number];

/** What is reported of a record, before it is put at its place. A record may have several. */
export type Report =
  | { readonly kind: "settlement"; readonly report: SettlementReport }
  | { readonly kind: "operations"; readonly report: OperationsReport };

/** One message of the stream, with what filters ask about. */
export type Item = {
  readonly position: number;
  readonly part: number;
  readonly topic: Topic;
  /** Undefined for records that are not told, which no filter but the topic can judge. */
  readonly filtered:
    | {
        readonly eventType: string;
        /** The bots that it is of, as names compare (R24). */
        readonly botKeys: readonly string[];
        /** In lower case; empty where there is none. */
        readonly wallet: string;
      }
    | undefined;
  readonly message: StreamReportsResponse;
};

/** A stretch of the log, rendered: everything behind `after`, up to and with `to`. */
export type Batch = {
  readonly epoch: number;
  readonly after: number;
  readonly to: number;
  readonly items: readonly Item[];
  /** What it takes in memory, roughly. */
  readonly bytes: number;
  /** Whether an account's wallet was scrubbed in it: what was rendered before still names it. */
  readonly isScrubbed: boolean;
};
