import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { refusalOf } from "../../support/refusal.ts";
import type { TestService } from "../../support/service.ts";
import { openStream } from "../ledger/actionStream.ts";
import { action, otherWallet } from "../ledger/actions.ts";
import { tablesWith } from "./bytes.ts";
import { recordEverywhere } from "./everywhere.ts";
import { close, closedWallet, digits, scrubbingService, startScrubbing } from "./scrubbing.ts";

const running = new AsyncDisposableStack();
let service: TestService;
let bot: LedgerClient;
let compliance: LedgerClient;
let identity: string;
const own = { wallet: closedWallet, sessionId: `sess_${digits}` };
const named = (eventId: string) => action(`${eventId} ${closedWallet}`, { params: { to: closedWallet } });
beforeAll(async () => {
  service = await scrubbingService(running);
  bot = await ledgerAs(service, "bot");
  compliance = await ledgerAs(service, "compliance");
  await bot.recordUserAction(action("early", { ...own, params: { from: closedWallet, to: otherWallet } }));
  await bot.recordUserAction(named("names it"));
  await bot.recordExecutionReport({ fillId: "fill", wallet: closedWallet, rawJson: `["${closedWallet}"]` });
  const stream = await openStream(bot, `stream ${closedWallet}`);
  stream.send(1, [action("streamed early", own)]);
  await stream.ack();
  await stream.end();
  identity = (await close(await ledgerAs(service, "account"))).scrubbedIdentity;
});
afterAll(() => running.disposeAsync());

async function expectNoBytes(): Promise<void> {
  expect(await tablesWith(service.database, digits)).toEqual([]);
}

test("a late action is recorded with what stands for the wallet", async () => {
  expect(await bot.recordUserAction(action("late", own))).toMatchObject({ outcome: RecordOutcome.RECORDED });
  const { actions } = await compliance.listUserActions({ wallet: identity, pageSize: 1 });
  expect(actions[0]?.report).toMatchObject({
    eventId: "late",
    walletAddress: identity,
    sessionId: `sess_${identity}`,
  });
  await expectNoBytes();
});

test("a replay is still a duplicate, whichever way it spells the wallet", async () => {
  for (const wallet of [closedWallet, `0x${digits}`]) {
    const params = { from: wallet, to: otherWallet };
    const replay = bot.recordUserAction(action("early", { wallet, sessionId: `sess_${digits}`, params }));
    expect(await replay).toMatchObject({ outcome: RecordOutcome.DUPLICATE });
  }
  expect(await bot.recordUserAction(named("names it"))).toMatchObject({ outcome: RecordOutcome.DUPLICATE });
  await expectNoBytes();
});

test("other content under its event id is still a conflict, and what was refused is kept without the wallet", async () => {
  const refusal = await refusalOf(bot.recordUserAction(action("early", { ...own, params: { to: digits } })));
  expect(refusal.reason).toBe("EVENT_ID_CONFLICT");
  const { conflicts } = await compliance.listEventConflicts({ eventId: "early" });
  expect(conflicts.map(({ refused }) => refused?.wallet)).toEqual([identity]);
  await expectNoBytes();
});

test("a late fill, and a fill that comes again, are taken in the same way", async () => {
  const report = { fillId: "fill", wallet: closedWallet, rawJson: `["${closedWallet}"]` };
  expect(await bot.recordExecutionReport(report)).toMatchObject({ outcome: RecordOutcome.DUPLICATE });
  const late = { ...report, status: "CONFIRMED", traceId: `trc ${closedWallet}` };
  expect(await bot.recordExecutionReport(late)).toMatchObject({ outcome: RecordOutcome.RECORDED });
  const { fills } = await compliance.listFills({ wallet: identity });
  expect(fills.map((entry) => entry.report?.status)).toEqual(["CONFIRMED", "MATCHED"]);
  expect(fills[0]?.report?.rawJson).toBe(`["${identity}"]`);
  await expectNoBytes();
});

test("a stream that is named after the wallet goes on where it was, its neighbours unharmed", async () => {
  const stream = await openStream(bot, `stream ${closedWallet}`);
  expect(stream.lastOffset).toBe(1n);
  stream.send(2, [
    action("neighbour 1", { wallet: otherWallet, sessionId: "n", params: { n: "1.50" } }),
    action("streamed late", own),
    action("neighbour 2", { wallet: otherWallet, sessionId: "n" }),
    action("streamed early", own),
  ]);
  const { results } = await stream.ack();
  expect(results).toMatchObject([{ eventId: "streamed early", outcome: RecordOutcome.DUPLICATE }]);
  await stream.end();
  const { actions } = await compliance.listUserActions({ sessionId: "n" });
  expect(actions.map(({ report }) => [report?.eventId, report?.walletAddress])).toEqual([
    ["neighbour 2", otherWallet],
    ["neighbour 1", otherWallet],
  ]);
  await expectNoBytes();
});

test("who asks for it leaves a row without it", async () => {
  const rows = async () => {
    const [row] = await service.database.query<{ n: number }>(
      "superuser",
      "select count(*)::int as n from access.read_log where filters_json like '%scrubbed:%' or subject like 'scrubbed:%'",
    );
    return row?.n ?? 0;
  };
  const before = await rows();
  await compliance.listUserActions({ wallet: closedWallet });
  await refusalOf(bot.listUserActions({ wallet: closedWallet }));
  const user = await ledgerAs(service, "user", { subject: closedWallet, wallet: closedWallet });
  await user.listUserActions({});
  expect((await rows()) - before).toBe(3);
  await expectNoBytes();
});

test("everything once more, on a service that has just started, leaves nothing either", async () => {
  const another = running.use(
    await startScrubbing({
      database: service.database,
      env: { GOVERNANCE_SCRUB_KEY_FILE: `${service.dataDir}/scrub.key` },
    }),
  );
  await recordEverywhere(another);
  // The words of a legal hold are the lawyer's own.
  expect((await tablesWith(service.database, digits)).filter((name) => !/legal_hold/.test(name))).toEqual([]);
});
