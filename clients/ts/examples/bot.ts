// A bot that starts a strategy, changes a parameter through the gate and trades on recorded fills; each step is on
// record, and its operator is told what happened:
//   GOVERNANCE_GRPC_ADDR=127.0.0.1:50051 GOVERNANCE_TOKEN=… node bot.js
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, connectTo, type Gate, openGate, openRecorder, reportsOfTrade } from "polytraders-governance-client";

const { GOVERNANCE_GRPC_ADDR: address = "127.0.0.1:50051", GOVERNANCE_TOKEN: token = "" } = process.env;
const wallet = "0xDeadBeef00000000000000000000000000000001";

// TLS unless the service is on this machine: { token, tls: {} }.
const connection = connectTo(address, { token });
// Yours keeps its folder: what the service has not been told yet is in it.
const data = await mkdtemp(join(tmpdir(), "bot-"));
const gate = await openGate(connection, join(data, "gate"), { log: console });
const recorder = await openRecorder(connection, join(data, "recorder"), { stream: "bot", log: console });

const [sessionId, traceId] = [`sess_${randomUUID()}`, `trc_${randomUUID()}`];
const action = { wallet, sessionId, traceId };
const paramsJson = JSON.stringify({ strategy: "sports-model" });
await recorder.recordActions([{ ...action, sessionSeq: 1n, actionType: "STRATEGY_START", paramsJson }]);
console.log("started sports-model");

await widen(gate);

// The venue knows no traces: the bot keeps them by order since it posted the order.
const traces = new Map([
  ["0x9a41", traceId],
  ["0x9a42", traceId],
]);
const trades = await readFile(new URL("trades.json", import.meta.url), "utf8");
const fills = reportsOfTrade(trades, { trace: (orderId) => traces.get(orderId) });
// The recorded trades are the same in each run.
for (const fill of fills) fill.tradeId += `-${sessionId}`;
await recorder.recordReports(fills);
await recorder.recordActions([{ ...action, sessionSeq: 2n, actionType: "STRATEGY_STOP" }]);

const signal = AbortSignal.timeout(60_000);
await Promise.all([recorder.flush({ signal }), gate.flush({ signal })]);
for (const { size, price, orderId, status } of fills) {
  console.log(`filled ${size} at ${price}, order ${orderId}: ${status}`);
}
console.log("stopped; everything is on record");
await Promise.all([recorder.close(), gate.close()]);
connection.close();
await rm(data, { recursive: true });

/** Raises the position limit, and tells the operator when it may not. */
async function widen(asked: Gate): Promise<void> {
  let limit = 5_000;
  const change = {
    botSlug: "risk.liquidityguard",
    paramName: "max_position_pusd",
    editorId: "alice@polytraders",
    oldValueJson: JSON.stringify(limit),
    newValueJson: JSON.stringify(7_500),
    ticketRef: "PTRD-1042",
  };
  try {
    await asked.change(change, () => {
      limit = 7_500;
    });
    console.log(`max_position_pusd is ${limit}`);
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    console.log(`max_position_pusd stays ${limit}: ${cause.userMessage} (${cause.reasonCode})`);
  }
}
