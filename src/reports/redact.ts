import type { OperationsReport, SettlementReport } from "../../gen/ts/polytraders/governance/v1/report_pb.ts";
import type { StreamReportsResponse } from "../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import { exactToStruct, exactToValue } from "../exact/value.ts";
import { replaceWallets, replaceWalletsInJson, walletsIn, walletsInJson } from "../ledger/mentions.ts";
import type { Item } from "./item.ts";

/** What an operator sees in a wallet's place. Not what stands for it: that would group one user's doings. */
const redactedWallet = "redacted";

/** What stands for a wallet that was scrubbed, in the midst of a text. */
const identities = /scrubbed:[0-9a-f]{16}:[0-9a-f]{64}/gi;

const redactedMessages = new WeakMap<Item, StreamReportsResponse>();

/** The message without any wallet, in whatever text it stands. Made once an item, whoever asks. */
export function redactedMessage(item: Item): StreamReportsResponse {
  let message = redactedMessages.get(item);
  if (message === undefined) {
    message = redact(item.message);
    redactedMessages.set(item, message);
  }
  return message;
}

function redact(message: StreamReportsResponse): StreamReportsResponse {
  const { report } = message;
  switch (report.case) {
    case "settlement":
      return { ...message, report: { case: report.case, value: redactSettlement(report.value) } };
    case "operations":
      return { ...message, report: { case: report.case, value: redactOperations(report.value) } };
    default:
      return message;
  }
}

function redactSettlement(report: SettlementReport): SettlementReport {
  const { text, json } = redaction(
    [
      report.walletAddress,
      report.sessionId,
      report.traceId,
      report.eventId,
      report.recordedBy,
      report.fillId,
    ],
    [report.actionParamsJson, report.detailsJson],
  );
  const params = json(report.actionParamsJson);
  const struct = params === undefined ? undefined : exactToStruct(params);
  const { actionParams: _, ...rest } = report;
  return {
    ...rest,
    walletAddress: report.walletAddress === "" ? "" : redactedWallet,
    sessionId: text(report.sessionId),
    traceId: text(report.traceId),
    eventId: text(report.eventId),
    recordedBy: text(report.recordedBy),
    fillId: text(report.fillId),
    actionType: text(report.actionType),
    fillIds: report.fillIds.map(text),
    inexact: report.inexact.map(text),
    ...(struct === undefined ? {} : { actionParams: struct }),
    ...(params === undefined ? {} : { actionParamsJson: params }),
    ...optional("detailsJson", json(report.detailsJson)),
  };
}

function redactOperations(report: OperationsReport): OperationsReport {
  const { text, json } = redaction(
    [
      report.auditedBot,
      report.paramName,
      report.editorId,
      report.ticketRef,
      report.environment,
      report.traceId,
    ],
    [report.oldValueJson, report.newValueJson, report.detailsJson],
  );
  const [oldText, newText] = [json(report.oldValueJson), json(report.newValueJson)];
  const { oldValue: _, newValue: __, ...rest } = report;
  return {
    ...rest,
    auditedBot: text(report.auditedBot),
    paramName: text(report.paramName),
    editorId: text(report.editorId),
    traceId: text(report.traceId),
    recordedBy: text(report.recordedBy),
    inexact: report.inexact.map(text),
    maskedPaths: report.maskedPaths.map(text),
    ...optional("ticketRef", report.ticketRef === undefined ? undefined : text(report.ticketRef)),
    ...optional("environment", report.environment === undefined ? undefined : text(report.environment)),
    ...(oldText === undefined ? {} : { oldValue: exactToValue(oldText), oldValueJson: oldText }),
    ...(newText === undefined ? {} : { newValue: exactToValue(newText), newValueJson: newText }),
    ...optional("detailsJson", json(report.detailsJson)),
  };
}

function optional<Name extends string>(name: Name, value: string | undefined): { [name in Name]?: string } {
  const given: { [name in Name]?: string } = {};
  if (value !== undefined) given[name] = value;
  return given;
}

/**
 * How this report's texts lose their wallets: whatever one of them names is taken out of all, as packed data
 * of one may hold another's.
 */
function redaction(
  texts: readonly (string | undefined)[],
  jsons: readonly (string | undefined)[],
): {
  readonly text: (text: string) => string;
  readonly json: (json: string | undefined) => string | undefined;
} {
  const wallets = new Set<string>();
  for (const text of texts) for (const wallet of walletsIn(text ?? "")) wallets.add(wallet);
  for (const json of jsons) for (const wallet of walletsInJson(json ?? "")) wallets.add(wallet);
  const own = (more: Iterable<string>) =>
    new Map([...wallets, ...more].map((wallet) => [wallet, redactedWallet] as const));
  return {
    text: (text) => replaceWallets(text, own(walletsIn(text))).replace(identities, redactedWallet),
    json: (json) =>
      json === undefined
        ? undefined
        : replaceWalletsInJson(json, own(walletsInJson(json))).replace(identities, redactedWallet),
  };
}
