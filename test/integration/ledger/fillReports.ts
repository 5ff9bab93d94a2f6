import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ExecutionReportSchema } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { LedgerClient } from "../../support/callers.ts";

export type FillInit = Extract<MessageInitShape<typeof ExecutionReportSchema>, { $typeName?: never }>;

/** An execution report of an order of ours in a trade, and whatever a test says differently. */
export function fill(tradeId: string, orderId: string, more: Partial<FillInit> = {}): FillInit {
  return { tradeId, orderId, side: "BUY", size: "10.50", price: "0.52", ...more };
}

/** The recorded actions of a session, each with its fills, as compliance reads them. */
export async function fillsBySession(
  compliance: LedgerClient,
  sessionId: string,
): Promise<Record<string, string[]>> {
  const { actions } = await compliance.listUserActions({ sessionId, pageSize: 1000 });
  return Object.fromEntries(actions.map(({ report }) => [report?.eventId, report?.fillIds.toSorted() ?? []]));
}

/** A fill's history as compliance reads it, oldest first. */
export async function historyOf(compliance: LedgerClient, fillId: string): Promise<(string | undefined)[]> {
  const { fills } = await compliance.listFills({ fillId, pageSize: 1000 });
  return fills.map((entry) => entry.report?.status).reverse();
}
