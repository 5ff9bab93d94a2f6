import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { type ActionInit, action } from "./actions.ts";
import { type FillInit, fillsBySession } from "./fillReports.ts";

/**
 * Real fills that nobody here wrote, kept beside the project. Without them this test has nothing to say;
 * where tests have to be complete (CI), their absence is a failure.
 */
const file = new URL("../../../../shared/data/fills/polymarket.csv", import.meta.url);
const hasData = existsSync(file);

type Fill = {
  readonly tradeId: string;
  readonly wallet: string;
  readonly market: string;
  readonly side: string;
  readonly outcome: string;
  readonly size: string;
  readonly price: string;
  readonly hash: string;
  readonly seconds: bigint;
};

function readFills(): Fill[] {
  const rows = readFileSync(file, "utf8").trim().split("\n").slice(1);
  return rows.map((row) => {
    const [
      tradeId = "",
      hash = "",
      at = "",
      wallet = "",
      market = "",
      side = "",
      outcome = "",
      size = "",
      price = "",
    ] = row.trim().split(",");
    return {
      tradeId,
      wallet,
      market,
      side,
      outcome,
      size,
      price,
      hash,
      seconds: BigInt(Date.parse(at) / 1000),
    };
  });
}

/** A number below `max` that follows from the text alone. */
function drawn(text: string, max: number): number {
  return createHash("sha256").update(text).digest().readUInt32BE() % max;
}

/** Everything that is sent of some fills: reports and actions. */
type Sent = { readonly reports: readonly FillInit[]; readonly actions: readonly ActionInit[] };

/**
 * What the bots send of these fills. Few orders have several fills each; an order's trace is named by some
 * of its reports, or by none; a fill comes by its own id, by trade and order, by all of them, or now so,
 * now so; its statuses are one to three.
 */
function sentOf(fills: readonly Fill[], run: string): Sent {
  const reports: FillInit[] = [];
  const traces = new Set<string>();
  for (const fill of fills) {
    const orderId = `${run}_order_${drawn(fill.wallet + fill.market, 8)}`;
    const traceId = `${run}_trace_${drawn(orderId, 5)}`;
    traces.add(traceId);
    const tradeId = `${run}_${fill.tradeId}`;
    const naming = drawn(`naming ${tradeId}`, 4);
    const named = { tradeId, orderId };
    const own = { fillId: `${run}_own_${fill.tradeId}` };
    for (const [i, status] of ["MATCHED", "MINED", "CONFIRMED"]
      .slice(0, 1 + drawn(`statuses ${tradeId}`, 3))
      .entries()) {
      const names = [own, named, { ...own, ...named }, i === 1 ? { ...own, ...named } : named][naming];
      const { wallet, side, outcome, size, price, hash: transactionHash, seconds } = fill;
      reports.push({
        ...names,
        // One that came by its own id may know its order all the same.
        ...(naming === 0 && drawn(`order ${tradeId}`, 2) === 0 ? { orderId } : {}),
        ...(drawn(`trace ${tradeId} ${i}`, 5) === 0 ? { traceId } : {}),
        ...{ wallet, side, outcome, size, price, transactionHash, status },
        matchedAt: { seconds, nanos: 0 },
      });
    }
  }
  const actions = [...traces].flatMap((traceId) =>
    Array.from({ length: drawn(traceId, 3) }, (_, i) =>
      action(`${traceId}_action_${i}`, { sessionId: run, traceId }),
    ),
  );
  return { reports, actions };
}

type State = {
  /** Each action's fills. */
  readonly links: Record<string, string[]>;
  /** Each fill's statuses. */
  readonly histories: Record<string, string[]>;
};

/** What has to be on record at last, by the words of the contract and from what was sent alone, in no order. */
function expectedOf({ reports, actions }: Sent): State {
  const made = (report: FillInit) => `${report.tradeId}:${report.orderId}`;
  const ownIds = new Map(
    reports.flatMap((report) => (report.fillId && report.tradeId ? [[made(report), report.fillId]] : [])),
  );
  const nameOf = (report: FillInit) => report.fillId ?? ownIds.get(made(report)) ?? made(report);
  const ordersTraces = Map.groupBy(
    reports.filter((report) => report.traceId !== undefined && report.orderId !== undefined),
    (report) => report.orderId,
  );
  const traces = new Map<string, Set<string | undefined>>();
  const histories: Record<string, string[]> = {};
  for (const report of reports) {
    const name = nameOf(report);
    const known = traces.get(name) ?? new Set();
    known.add(report.traceId);
    if (report.orderId !== undefined)
      for (const { traceId } of ordersTraces.get(report.orderId) ?? []) known.add(traceId);
    traces.set(name, known);
    histories[name] = [...(histories[name] ?? []), report.status ?? ""].toSorted();
  }
  const links = Object.fromEntries(
    actions.map(({ eventId = "", traceId }) => [
      eventId,
      [...traces].flatMap(([name, known]) => (known.has(traceId) ? [name] : [])).toSorted(),
    ]),
  );
  return { links, histories };
}

let service: TestService;
let bot: LedgerClient;
let compliance: LedgerClient;
beforeAll(async () => {
  service = await startTestService();
  bot = await ledgerAs(service, "bot");
  compliance = await ledgerAs(service, "compliance");
});
afterAll(() => service[Symbol.asyncDispose]());

async function recordedOf(run: string): Promise<State> {
  const links = await fillsBySession(compliance, run);
  // The newest page holds all of a run, and what others sent before it.
  const { fills } = await compliance.listFills({ pageSize: 200 });
  const histories: Record<string, string[]> = {};
  for (const { fillId, report } of fills.filter((entry) => entry.fillId.startsWith(`${run}_`))) {
    histories[fillId] = [...(histories[fillId] ?? []), report?.status ?? ""].toSorted();
  }
  return { links, histories };
}

describe.skipIf(!hasData && !process.env.CI)("real fills and the actions of their traces", () => {
  test("end in the same state whatever order they come in, how many at a time and how often", async () => {
    const fills = readFills();
    const perRun = 24;
    let runs = 0;
    let linked = 0;
    const count = perRun * 4;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(fills.length - perRun),
        fc.array(fc.nat(), { minLength: count, maxLength: count }),
        fc.integer({ min: 1, max: 12 }),
        async (from, order, atOnce) => {
          const run = `run${runs++}`;
          const sent = sentOf(fills.slice(from, from + perRun), run);
          const calls = [
            ...sent.reports.map((report) => () => bot.recordExecutionReport(report)),
            ...sent.actions.map((one) => () => bot.recordUserAction(one)),
          ];
          const replayed = calls.filter((_, i) => i % 7 === 0);
          const shuffled = [...calls, ...replayed]
            .map((call, i) => ({ call, at: order[i % count] ?? 0 }))
            .sort((a, b) => a.at - b.at)
            .map(({ call }) => call);
          for (let i = 0; i < shuffled.length; i += atOnce) {
            await Promise.all(shuffled.slice(i, i + atOnce).map((call) => call()));
          }
          const expected = expectedOf(sent);
          expect(await recordedOf(run)).toEqual(expected);
          linked += Object.values(expected.links).flat().length;
        },
      ),
      { numRuns: 20, endOnFailure: true },
    );
    expect(linked, "there was something to link").toBeGreaterThan(50);
  }, 120_000);
});
