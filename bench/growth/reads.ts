import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { LinkState } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { createLatencies } from "../latencies.ts";
import { actionsPerWallet, traceOf, walletOf } from "./fill.ts";
import type { Ledger } from "./ledger.ts";

const inFlight = 2;

export type Times = { readonly p50Us: number; readonly p99Us: number };

/** The newest page of random wallets' actions, as compliance asks for it. */
export function listByWallet(ledger: Ledger, calls: number): Promise<Times> {
  const client = ledgerOf(ledger);
  const headers = { authorization: ledger.service.authorization.compliance };
  const wallets = Math.max(1, Math.floor(ledger.rows / actionsPerWallet));
  return timed(calls, async () => {
    const wallet = walletOf(Math.floor(Math.random() * wallets));
    const { actions } = await client.listUserActions({ wallet, pageSize: 50 }, { headers });
    if (actions.length !== 50) throw new Error(`${wallet} has ${actions.length} actions on its first page`);
  });
}

/** Fills that arrive for random actions, each answered with the action it is linked to. */
export function linkByTrace(ledger: Ledger, calls: number): Promise<Times> {
  const client = ledgerOf(ledger);
  const headers = { authorization: ledger.service.authorization.bot };
  return timed(calls, async () => {
    // Those of the last year: a fill follows its action soon.
    const row = ledger.rows - 1 - Math.floor(Math.random() * (ledger.rows / 10));
    const fill = { fillId: crypto.randomUUID(), orderId: crypto.randomUUID(), traceId: traceOf(row) };
    const { linkState } = await client.recordExecutionReport(fill, { headers });
    if (linkState !== LinkState.LINKED) throw new Error(`a fill of ${traceOf(row)} is not linked`);
  });
}

function ledgerOf({ service }: Ledger) {
  const transport = createGrpcTransport({ baseUrl: `http://${service.host}:${service.port}` });
  return createClient(UserActivityLedgerService, transport);
}

async function timed(calls: number, call: () => Promise<void>): Promise<Times> {
  const latencies = createLatencies();
  let left = calls;
  async function caller(): Promise<void> {
    while (left-- > 0) {
      const started = performance.now();
      await call();
      latencies.add((performance.now() - started) * 1000);
    }
  }
  await Promise.all(Array.from({ length: inFlight }, caller));
  return { p50Us: latencies.percentileUs(0.5), p99Us: latencies.percentileUs(0.99) };
}
