import { RecordKind } from "../../../gen/ts/polytraders/governance/v1/retention_pb.ts";
import { RetentionService } from "../../../gen/ts/polytraders/governance/v1/retention_service_pb.ts";
import { ledgerAs } from "../../support/callers.ts";
import { readExport } from "../../support/exportReader.ts";
import { refusalOf } from "../../support/refusal.ts";
import type { TestService } from "../../support/service.ts";
import { openStream } from "../ledger/actionStream.ts";
import { action, otherWallet } from "../ledger/actions.ts";
import { closedWallet, digits } from "./scrubbing.ts";

const upper = digits.toUpperCase();
const padded = `0x${"0".repeat(24)}${digits}`;
const escaped = [...closedWallet]
  .map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
  .join("");

/** An action of somebody else. */
const othersAction = (eventId: string, more: Parameters<typeof action>[1] = {}) =>
  action(eventId, { wallet: otherWallet, sessionId: "others", ...more });

/** Puts the wallet on record in every way in which it can come, spelt in every way. */
export async function recordEverywhere(service: TestService): Promise<void> {
  const bot = await ledgerAs(service, "bot", { subject: `bot of ${upper}` });
  const compliance = await ledgerAs(service, "compliance", { subject: `carol-0x${upper}` });
  const user = await ledgerAs(service, "user", { subject: closedWallet, wallet: closedWallet });
  const own = { wallet: closedWallet, sessionId: `sess_${digits}` };

  await bot.recordUserAction(action("checksummed", { ...own, sessionSeq: 1n }));
  await bot.recordUserAction(action("lower", { ...own, wallet: `0x${digits}`, sessionSeq: 4n }));
  await bot.recordUserAction(action("upper", { ...own, wallet: `0x${upper}`, traceId: `trc ${padded}` }));
  await bot.recordUserAction(action(`evt-${closedWallet}-1`, { ...own, traceId: "trc" }));
  const paramsJson = `{"n":1.50e3,"to":["${escaped}",{"0x${upper}":"${digits}"}],"data":"0xa9059cbb${padded.slice(2)}${"0".repeat(61)}1f4","id":"7"}`;
  await bot.recordUserAction(action("params", { ...own, paramsJson }));
  await bot.recordUserAction(action("inexact", { ...own, params: { [closedWallet]: 2 ** 60 } }));
  await refusalOf(bot.recordUserAction(action("params", { ...own, paramsJson: `{"w":"${escaped}"}` })));

  await bot.recordUserAction(othersAction("theirs", { paramsJson: `{"to":"${escaped}","x":null}` }));
  await bot.recordUserAction(othersAction(`theirs ${padded}`));
  await bot.recordUserAction(othersAction("their trace", { traceId: digits, sessionId: `s ${upper}` }));
  await refusalOf(bot.recordUserAction(othersAction("theirs", { params: { instead: closedWallet } })));
  const stream = await openStream(bot, `stream of ${closedWallet}`);
  stream.send(1, [othersAction("streamed"), othersAction("streamed 2", { params: { to: upper } })]);
  await stream.ack();
  await stream.end();

  const fill = {
    status: "MATCHED",
    size: "1.50",
    price: "0.52",
    assetId: "7132104567925221259462638553270691275",
  };
  await bot.recordExecutionReport({ ...fill, fillId: "own fill", wallet: closedWallet, traceId: "trc" });
  await bot.recordExecutionReport({
    ...fill,
    tradeId: "trade",
    orderId: `order-${closedWallet}`,
    traceId: `trc ${padded}`,
    wallet: otherWallet,
    rawJson: `{"maker_address":"${escaped}","maker_orders":[{"maker_address":"0x${upper}"}],"price":0.520}`,
  });
  await bot.recordExecutionReport({ ...fill, fillId: `fill ${digits}`, traceId: digits });
  await bot.recordExecutionReport({ ...fill, fillId: `fill ${digits}`, tradeId: "t", orderId: "o" });

  await compliance.listUserActions({ wallet: closedWallet });
  await compliance.listUserActions({ sessionId: `sess_${digits}` });
  await readExport(compliance.exportUserActions({ wallet: `0x${upper}` }));
  await user.listUserActions({});
  await refusalOf(user.listUserActions({ wallet: otherWallet }));
  await refusalOf(bot.listUserActions({ wallet: closedWallet }));

  const lawyer = service.client(RetentionService, await service.token({ roles: ["compliance"] }));
  const scope = { kind: RecordKind.USER_ACTIVITY, wallet: closedWallet };
  await lawyer.placeLegalHold({ holdId: `hold ${digits}`, scope, reason: `the matter of ${padded}` });
  await lawyer.releaseLegalHold({ holdId: `hold ${digits}`, reason: `${closedWallet} is settled` });
}
