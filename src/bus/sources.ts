import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type pg from "pg";
import {
  ExecutionReportSchema,
  UserActionSchema,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { parseAction } from "../ledger/action.ts";
import { type ActionRow, type AppendOutcome, appendActions } from "../ledger/append.ts";
import { createClosedWallets } from "../ledger/closed.ts";
import type { LedgerDependencies } from "../ledger/dependencies.ts";
import { appendFills, type FillOutcome, type FillRow } from "../ledger/fills/append.ts";
import { parseExecutionReport } from "../ledger/fills/executionReport.ts";
import { fillRow, hashedFill } from "../ledger/fills/storeFills.ts";
import { actionRow, hashedAction } from "../ledger/storeActions.ts";

/** What is read from the bus, by the name that metrics and the positions have for it. */
export type SourceName = "actions" | "fills";
export const sourceNames = ["actions", "fills"] as const satisfies readonly SourceName[];

/** What of the ledger the bus uses: the same checks and the same rows as its RPCs. */
export type BusLedger = Pick<
  LedgerDependencies,
  "clock" | "recordId" | "key" | "identities" | "settings" | "sequencer" | "onRecorded"
>;

/** How a kind of record is stored. */
export type Storing<Row, Outcome> = {
  readonly name: SourceName;
  /** Stores rows as part of a transaction; what it may throw asks for another one (R11). */
  append(client: pg.Client, rows: readonly Row[]): Promise<readonly Outcome[]>;
  /** The same way of writing, with what stands for closed wallets where the rows name them. */
  hashing(
    write: (client: pg.Client, rows: readonly Row[]) => Promise<readonly Outcome[]>,
  ): (client: pg.Client, rows: readonly Row[]) => Promise<readonly Outcome[]>;
  readonly acceptedMicros: (row: Row) => number;
  /** The tables that need its month. */
  readonly tables: readonly string[];
};

/** A kind of record that comes over the bus. */
export type Source<Desc extends DescMessage, Row, Outcome extends { readonly kind: string }> = Storing<
  Row,
  Outcome
> & {
  readonly schema: Desc;
  /** The message as a row, checked. Throws the Failure that refuses it. */
  row(message: MessageShape<Desc>): Row;
  /** Called for each row that is newly on record. */
  onRecorded(row: Row): void;
};

/** User actions (spec 001 §9): as RecordUserAction takes them. */
export function actionSource(
  ledger: BusLedger,
  recordedBy: string,
): Source<typeof UserActionSchema, ActionRow, AppendOutcome> {
  const closed = createClosedWallets();
  return {
    name: "actions",
    schema: UserActionSchema,
    row: (message) => actionRow(parseAction(message, ""), recordedBy, ledger),
    append: appendActions,
    hashing: (write) => closed.hashing(write, hashedAction),
    acceptedMicros: (row) => row.acceptedMicros,
    tables: ["ledger.user_action", "ledger.fill_link"],
    onRecorded: ledger.onRecorded,
  };
}

/** Execution reports (spec 001 §10): as RecordExecutionReport takes them. */
export function fillSource(
  ledger: BusLedger,
  recordedBy: string,
): Source<typeof ExecutionReportSchema, FillRow, FillOutcome> {
  const closed = createClosedWallets();
  return {
    name: "fills",
    schema: ExecutionReportSchema,
    row: (message) => fillRow(parseExecutionReport(message, ""), recordedBy, ledger),
    append: appendFills,
    hashing: (write) => closed.hashing(write, hashedFill),
    acceptedMicros: (row) => row.acceptedMicros,
    tables: ["ledger.fill_report"],
    onRecorded: () => undefined,
  };
}
