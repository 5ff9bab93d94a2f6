// Writes the cases to the service, or reads what is there, with generated code and Connect alone; see crosswise.ts.
// GENERATED is the folder of the generated code.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type { Cases, Value } from "./cases.ts";

type Messages = typeof import("../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts");
type Ledger = typeof import("../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts");
type Auditor =
  typeof import("../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts");
const generated = join(process.env.GENERATED ?? "", "polytraders/governance/v1");
const messages: Messages = await import(join(generated, "user_activity_ledger_pb.ts"));
const ledgerService: Ledger = await import(join(generated, "user_activity_ledger_service_pb.ts"));
const auditorService: Auditor = await import(join(generated, "parameter_change_auditor_service_pb.ts"));

const [mode = "", file = "", ownName = ""] = process.argv.slice(2);
const cases: Cases = JSON.parse(readFileSync(file, "utf8"));
const authorize: Interceptor = (next) => (request) => {
  request.header.set("authorization", `Bearer ${process.env.GOVERNANCE_TOKEN}`);
  return next(request);
};
const transport = createGrpcTransport({
  baseUrl: `http://${process.env.GOVERNANCE_GRPC_ADDR}`,
  interceptors: [authorize],
  defaultTimeoutMs: 60_000,
});
const ledger = createClient(ledgerService.UserActivityLedgerService, transport);
const auditor = createClient(auditorService.ParameterChangeAuditorService, transport);

/** JSON of a case's value. */
function text(value: Value): string {
  if ("o" in value)
    return `{${value.o.map(([key, member]) => `${JSON.stringify(key)}:${text(member)}`).join(",")}}`;
  if ("a" in value) return `[${value.a.map(text).join(",")}]`;
  if ("s" in value) return JSON.stringify(value.s);
  return "l" in value ? value.l : value.n;
}

/** The reverse; a number by its sign, digits and exponent. Reading takes numbers by their text: a double would round. */
function parsed(json: string): Value {
  class Digits {
    readonly text: string;
    constructor(source: string) {
      const [, sign = "", whole = "", fraction = "", power = "0"] =
        /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(source) ?? [];
      const digits = `${whole}${fraction}`.replace(/^0+(?=.)/, "");
      this.text = `${sign}${digits}e${Number(power) - fraction.length}`;
    }
  }
  const shown = (value: unknown): Value => {
    if (value instanceof Digits) return { n: value.text };
    if (Array.isArray(value)) return { a: value.map(shown) };
    if (typeof value === "string") return { s: value };
    if (typeof value !== "object" || value === null) return { l: String(value) };
    return { o: Object.entries(value).map(([key, member]) => [key, shown(member)]) };
  };
  return shown(
    JSON.parse(json, (_key, value, context?: { source?: string }) =>
      typeof value === "number" ? new Digits(context?.source ?? "") : value,
    ),
  );
}

function stamp(): Timestamp {
  const [seconds = "", nanos = ""] = cases.at.split(".");
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos: Number(nanos) });
}
const when = (at: Timestamp | undefined) => `${at?.seconds}.${at?.nanos}`;

async function write(writer: string): Promise<void> {
  const session = `${cases.run}-${writer}`;
  const [first, ...actions] = cases.values.map(({ name, value }) =>
    create(messages.UserActionSchema, {
      eventId: `${session}-${name}`,
      wallet: cases.wallet,
      sessionId: session,
      actionType: "OVERRIDE",
      paramsJson: text({ o: [["v", value]] }),
      traceId: name,
      occurredAt: stamp(),
    }),
  );
  if (first === undefined) throw new Error("no cases");
  const bytes = toBinary(messages.UserActionSchema, first);
  await ledger.recordUserAction(fromBinary(messages.RecordUserActionRequestSchema, bytes));
  type Acting = MessageInitShape<Messages["StreamUserActionsRequestSchema"]>;
  async function* acting(): AsyncIterable<Acting> {
    yield { message: { case: "open", value: { streamId: session } } };
    yield { message: { case: "batch", value: { firstOffset: 1n, actions } } };
  }
  await acknowledged(ledger.streamUserActions(acting()));
  const reports = cases.fills.map(({ name, fields, raw }) => ({
    tradeId: `${session}-${name}`,
    orderId: session,
    wallet: cases.wallet,
    market: fields.market,
    assetId: fields.asset_id,
    size: fields.size,
    price: fields.price,
    outcome: fields.outcome,
    matchedAt: stamp(),
    rawJson: text(raw),
  }));
  type Filling = MessageInitShape<Messages["StreamExecutionReportsRequestSchema"]>;
  async function* filling(): AsyncIterable<Filling> {
    yield { message: { case: "open", value: { streamId: session } } };
    yield { message: { case: "batch", value: { firstOffset: 1n, reports } } };
  }
  await acknowledged(ledger.streamExecutionReports(filling()));
  for (const { name, value } of cases.values) {
    const answer = await auditor.checkWrite({
      botSlug: session,
      paramName: name,
      editorId: cases.editor,
      oldValueJson: text(value),
      newValueJson: text({ a: [value] }),
    });
    if (!answer.allowed) throw new Error(answer.reasonCode);
  }
}

type Answer = {
  readonly message: { readonly case?: string | undefined; readonly value?: object | undefined };
};

async function acknowledged(answers: AsyncIterable<Answer>): Promise<void> {
  let last: Answer["message"] = {};
  for await (const { message } of answers) last = message;
  const results = last.value !== undefined && "results" in last.value ? last.value.results : undefined;
  if (!Array.isArray(results) || results.length > 0) throw new Error(`not all was taken: ${last.case}`);
}

async function* read(writer: string): AsyncIterable<[string, string, string, unknown]> {
  const session = `${cases.run}-${writer}`;
  let pageToken = "";
  do {
    const page = await ledger.listUserActions({ sessionId: session, pageToken });
    for (const { report } of page.actions) {
      if (report === undefined) throw new Error("no report");
      const value = parsed(report.actionParamsJson ?? "");
      yield [writer, "action", report.traceId, [report.walletAddress, when(report.occurredAt), value]];
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  for await (const { jsonl } of ledger.exportUserActions({ sessionId: session })) {
    for (const line of new TextDecoder().decode(jsonl).split("\n")) {
      if (line === "") continue;
      const report = parsed(line);
      const members = new Map("o" in report ? report.o : []);
      const name = members.get("trace_id");
      if (name !== undefined && "s" in name) yield [writer, "exported", name.s, members.get("action_params")];
    }
  }
  do {
    const page = await auditor.listParameterChanges({ botSlug: session, pageToken });
    for (const { report } of page.changes) {
      if (report === undefined) throw new Error("no report");
      const values = [parsed(report.oldValueJson ?? ""), parsed(report.newValueJson ?? "")];
      yield [writer, "change", report.paramName, [report.editorId, ...values]];
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  for (const { paramName, valueJson } of (await auditor.getConfigAsOf({ botSlug: session })).values) {
    yield [writer, "in force", paramName, parsed(valueJson)];
  }
  // The released contract has no way to read fills.
  if (!("listFills" in ledger) || process.env.WITHOUT_FILLS) return;
  do {
    const page = await ledger.listFills({ orderId: session, pageToken });
    for (const { report } of page.fills) {
      if (report === undefined) throw new Error("no report");
      const fields = [report.market, report.assetId, report.size, report.price, report.outcome];
      const name = report.tradeId.slice(session.length + 1);
      const raw = parsed(report.rawJson ?? "");
      yield [writer, "fill", name, [fields, report.wallet, when(report.matchedAt), raw]];
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

if (mode === "write") {
  await write(ownName);
} else {
  for (const writer of cases.writers) {
    for await (const found of read(writer)) console.log(JSON.stringify(found));
  }
}
