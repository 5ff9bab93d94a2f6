import { contentHash } from "../../contentHash.ts";
import type { LedgerDependencies } from "../dependencies.ts";
import { digitsOf } from "../identity.ts";
import { replaceWallets, replaceWalletsInJson, walletsIn, walletsInJson } from "../mentions.ts";
import { retainedUntilDay } from "../retention.ts";
import type { FillRow } from "./append.ts";
import type { ExecutionReportContent } from "./executionReport.ts";

/** An execution report on its way into the journal, accepted now. */
export function fillRow(
  report: ExecutionReportContent,
  recordedBy: string,
  dependencies: Pick<LedgerDependencies, "clock" | "recordId" | "key" | "identities" | "settings">,
): FillRow {
  const { identities } = dependencies;
  const acceptedMicros = dependencies.clock.nowMicros();
  const own = report.wallet === null ? null : digitsOf(report.wallet);
  const keyMentions = walletsIn(report.fillId);
  const named = new Set([
    ...texts.flatMap((name) => [...walletsIn(report[name] ?? "")]),
    ...walletsIn(recordedBy),
  ]);
  for (const wallet of report.raw === null ? [] : walletsInJson(report.raw.text)) named.add(wallet);
  const wallets = identities.ofAll(own === null ? named : [own, ...named]);
  // With what stands for wallets in their place: a replay after a scrub has the same content.
  const text = (value: string | null) =>
    named.size === 0 || value === null ? value : replaceWallets(value, wallets);
  return {
    report,
    recordId: dependencies.recordId(),
    acceptedMicros,
    retainedUntil: retainedUntilDay(acceptedMicros, dependencies.settings().retainDays),
    recordedBy,
    contentHash: contentHash(dependencies.key, [
      report.wallet === null ? null : identities.of(report.wallet),
      text(report.sentFillId),
      text(report.tradeId),
      text(report.orderId),
      text(report.traceId),
      report.status,
      text(report.market),
      report.assetId,
      report.side,
      report.size,
      report.price,
      report.feeRateBps,
      text(report.outcome),
      report.traderSide,
      text(report.transactionHash),
      report.matchedAtNs?.toString() ?? null,
      report.updatedAtNs?.toString() ?? null,
      report.raw === null ? null : replaceWalletsInJson(report.raw.canonical, wallets),
    ]),
    mentions: [...named].filter((wallet) => wallet !== own),
    keyMentions: [...keyMentions],
    wallets,
    bookmark: undefined,
  };
}

/** What of a report may name wallets; amounts and token ids are numbers. */
const texts = [
  "fillId",
  "madeFillId",
  "tradeId",
  "orderId",
  "traceId",
  "market",
  "outcome",
  "transactionHash",
] as const;

/** The row with what stands for closed wallets wherever it names them. */
export function hashedFill(row: FillRow, closed: FillRow["wallets"]): FillRow {
  const text = (value: string) => replaceWallets(value, closed);
  const orNull = (value: string | null) => (value === null ? null : text(value));
  const open = (wallets: readonly string[]) => wallets.filter((wallet) => !closed.has(wallet));
  const { report, bookmark } = row;
  return {
    ...row,
    report: {
      ...report,
      fillId: text(report.fillId),
      madeFillId: orNull(report.madeFillId),
      sentFillId: orNull(report.sentFillId),
      tradeId: orNull(report.tradeId),
      orderId: orNull(report.orderId),
      traceId: orNull(report.traceId),
      wallet: orNull(report.wallet),
      market: orNull(report.market),
      outcome: orNull(report.outcome),
      transactionHash: orNull(report.transactionHash),
      raw:
        report.raw === null ? null : { ...report.raw, text: replaceWalletsInJson(report.raw.text, closed) },
    },
    recordedBy: text(row.recordedBy),
    mentions: open(row.mentions),
    keyMentions: open(row.keyMentions),
    wallets: new Map([...row.wallets].filter(([digits]) => !closed.has(digits))),
    bookmark: bookmark && { ...bookmark, streamId: text(bookmark.streamId) },
  };
}
