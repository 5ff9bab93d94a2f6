import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RecordUserActionRequestSchema } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { deepStruct, field } from "./badValues.ts";
import {
  callGrpc,
  callHttp,
  envelope,
  grpcClient,
  type JsonError,
  readGrpcWebError,
  readJsonError,
  unwrap,
} from "./raw.ts";
import { expectReason } from "./refusals.ts";

const ledger = "/polytraders.governance.v1.UserActivityLedgerService";
const record = `${ledger}/RecordUserAction`;
const exportActions = `${ledger}/ExportUserActions`;

const good = {
  event_id: "event",
  wallet: "0xdeadbeef00000000000000000000000000000001",
  session_id: "session",
  action_type: "HALT",
};

let service: TestService;
let bot: string;
let compliance: string;
beforeAll(async () => {
  service = await startTestService();
  bot = await service.token({ roles: ["bot"] });
  compliance = await service.token({ roles: ["compliance"] });
});
afterAll(async () => {
  const rows = await service.database.query(
    "superuser",
    "select event_id from ledger.user_action order by event_id",
  );
  await service[Symbol.asyncDispose]();
  expect(rows, "nothing of all this was stored but the good ones").toEqual([
    { event_id: "a good neighbour" },
    { event_id: "with unknown fields" },
  ]);
});

async function postJson(
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<JsonError & { status: number }> {
  const answer = await callHttp(service.httpPort, record, {
    token: bot,
    headers: { "content-type": "application/json", ...headers },
    body,
  });
  const error = readJsonError(answer.body.toString());
  expectReason(error.reasons.join(), error.message);
  return { ...error, status: answer.status };
}

/** A request with no fault but in this member. */
const also = (member: string) => `${JSON.stringify(good).slice(0, -1)},${member}}`;
const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;

describe("a JSON request is refused, and the field named, when", () => {
  test.each([
    ["it is empty", "", ""],
    ["it is cut short", JSON.stringify(good).slice(0, -1), "action_type"],
    ["it is no JSON", "event_id=event", ""],
    ["it is a list", "[]", ""],
    ["it is null", "null", ""],
    ["it starts with a byte order mark", `\ufeff${JSON.stringify(good)}`, ""],
    ["a field does not exist", JSON.stringify({ ...good, walet: "0x" }), "walet"],
    ["a field has the name of a prototype", '{"__proto__":{}}', "__proto__"],
    ["a field is sent twice", '{"event_id":"a","event_id":"b"}', "event_id"],
    ["a field is sent twice, once escaped", '{"event_id":"a","event\\u005fid":"b"}', "event_id"],
    ["a field is sent in both spellings", '{"event_id":"a","eventId":"b"}', "event_id"],
    ["a text is a number", JSON.stringify({ ...good, event_id: 7 }), "event_id"],
    ["a text is a list", JSON.stringify({ ...good, session_id: ["a"] }), "session_id"],
    ["an object is a text", JSON.stringify({ ...good, params: "{}" }), "params"],
    ["an object is a list", JSON.stringify({ ...good, params: [] }), "params"],
    ["a time is a number", JSON.stringify({ ...good, occurred_at: 1_778_322_602 }), "occurred_at"],
    ["a time is none", JSON.stringify({ ...good, occurred_at: "yesterday" }), "occurred_at"],
    ["a time is an object", JSON.stringify({ ...good, occurred_at: { seconds: 1 } }), "occurred_at"],
    ["a whole number is none", JSON.stringify({ ...good, session_seq: 1.5 }), "session_seq"],
    ["a whole number is a word", JSON.stringify({ ...good, session_seq: "one" }), "session_seq"],
    [
      "a whole number has more than 64 bits",
      JSON.stringify({ ...good, session_seq: "9223372036854775808" }),
      "session_seq",
    ],
    ["a whole number lost digits as a double", also('"session_seq":9007199254740993'), "session_seq"],
    ["a key inside is sent twice", also('"params":{"a":1,"a":2}'), "params"],
    ["a number is no double", also('"params":{"a":{"b":1e999}}'), "params"],
    ["half a surrogate pair stands in a text", '{"event_id":"\\ud800"}', "event_id"],
    ["half a surrogate pair stands inside", also('"params":{"a":["\\udc00"]}'), "params"],
    ["half a surrogate pair is a key inside", also('"params":{"\\ud83d":1}'), "params"],
    ["it is nested 33 deep", also(`"params":${nested(33)}`), "params"],
    ["it is nested 1,000 deep", also(`"params":${nested(1000)}`), "params"],
    ["it is nested 100,000 deep", also(`"params":${nested(100_000)}`), "params"],
    ["it is lists 100,000 deep", also(`"params":{"a":${"[".repeat(100_000)}`), "params"],
  ])("%s", async (_, body, field) => {
    expect(await postJson(body)).toMatchObject({
      status: 400,
      code: "invalid_argument",
      reasons: ["INVALID_FIELD"],
      fields: [field],
    });
  });

  test.each([
    ["a text", '{"event_id":"?"', "event_id"],
    ["a key", '{"params":{"?":1}}', "params"],
    ["a field's name", '{"?":1}', ""],
  ])("%s is not UTF-8", async (_, text, field) => {
    const bytes = Buffer.from(text);
    bytes[bytes.indexOf("?")] = 0xff;
    expect(await postJson(bytes)).toMatchObject({ reasons: ["INVALID_FIELD"], fields: [field] });
  });
});

const encode = (more: object = {}) => {
  const message = create(RecordUserActionRequestSchema, {
    eventId: "event",
    wallet: good.wallet,
    sessionId: "session",
    actionType: "HALT",
    ...more,
  });
  return toBinary(RecordUserActionRequestSchema, message);
};
const withField = (write: (writer: BinaryWriter) => void) => {
  const writer = new BinaryWriter().raw(encode());
  write(writer);
  return writer.finish();
};

const badBytes: readonly (readonly [string, Uint8Array, string])[] = [
  ["they are noise", Buffer.from("ffffffffffffffffffff", "hex"), ""],
  ["they are cut short", encode().subarray(0, -1), ""],
  ["they end a group that never began", withField((w) => w.raw(Buffer.from([0x0c]))), ""],
  [
    "a text is not UTF-8",
    withField((w) => w.tag(3, WireType.LengthDelimited).bytes(Buffer.from([0x61, 0xff]))),
    "session_id",
  ],
  [
    "a text holds half of a surrogate pair",
    withField((w) => w.tag(1, WireType.LengthDelimited).bytes(Buffer.from([0xed, 0xa0, 0x80]))),
    "event_id",
  ],
  [
    "a key inside is not UTF-8",
    withField((w) => {
      const entry = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(Buffer.from([0xc0]));
      w.tag(5, WireType.LengthDelimited).bytes(
        new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(entry.finish()).finish(),
      );
    }),
    "params",
  ],
  [
    "they are nested 33 deep",
    withField((w) => w.tag(5, WireType.LengthDelimited).bytes(deepStruct(33))),
    "params",
  ],
  [
    "they are nested 1,000 deep",
    withField((w) => w.tag(5, WireType.LengthDelimited).bytes(deepStruct(1000))),
    "params",
  ],
  [
    "they are nested 5,000 deep",
    withField((w) => w.tag(5, WireType.LengthDelimited).bytes(deepStruct(5000))),
    "params",
  ],
];

describe("bytes are refused when", () => {
  test.each(badBytes)("%s", async (_, bytes, field) => {
    const expected = { reasons: ["INVALID_FIELD"], fields: [field] };
    using client = grpcClient(service.grpcPort);
    const overGrpc = await callGrpc(client, record, { token: bot, requests: [bytes] });
    expect(overGrpc).toMatchObject({ code: 3, ...expected });
    expectReason("INVALID_FIELD", overGrpc.message);
    expect(await postJson(bytes, { "content-type": "application/proto" })).toMatchObject({
      status: 400,
      ...expected,
      message: overGrpc.message,
    });
    const overGrpcWeb = await callHttp(service.httpPort, record, {
      token: bot,
      headers: { "content-type": "application/grpc-web+proto" },
      body: envelope(bytes),
    });
    expect(readGrpcWebError(overGrpcWeb.body)).toMatchObject({
      code: 3,
      ...expected,
      message: overGrpc.message,
    });
  });

  test("fields of a newer contract are no reason: they are passed over", async () => {
    const bytes = new BinaryWriter()
      .raw(encode({ eventId: "with unknown fields" }))
      .tag(999, WireType.LengthDelimited)
      .string("from the future")
      .finish();
    using client = grpcClient(service.grpcPort);
    expect(await callGrpc(client, record, { token: bot, requests: [bytes] })).toMatchObject({ code: 0 });
  });
});

test("in a batch, an action that is not UTF-8 and one nested 1,000 deep are refused by themselves", async () => {
  const actions = [
    withField((w) => w.tag(3, WireType.LengthDelimited).bytes(Buffer.from([0xff]))),
    withField((w) => w.tag(5, WireType.LengthDelimited).bytes(deepStruct(1000))),
    encode({ eventId: "a good neighbour" }),
  ];
  const batch = new BinaryWriter().tag(1, WireType.Varint).int64(1);
  for (const action of actions) batch.raw(field(2, action));
  using client = grpcClient(service.grpcPort);
  const answer = await callGrpc(client, `${ledger}/StreamUserActions`, {
    token: bot,
    requests: [field(1, field(1, Buffer.from("stream"))), field(2, batch.finish())],
  });
  expect(answer).toMatchObject({ code: 0 });
  const results = answer.messages.at(-1)?.toString() ?? "";
  expect(results).toContain("actions[0].session_id");
  expect(results).toContain("actions[1].params");
});

describe("a request that is packed wrongly is refused:", () => {
  test.each([
    ["no message", Buffer.alloc(0)],
    ["two messages", Buffer.concat([envelope("{}"), envelope("{}")])],
    ["half an envelope", envelope("{}").subarray(0, 4)],
    ["an envelope longer than the body", envelope("{}").subarray(0, -1)],
    ["flags that nobody knows", envelope("{}", 2)],
    ["compressed without saying how", envelope(gzipSync("{}"), 1).fill(0, 5)],
  ])("%s", async (_, body) => {
    const answer = await callHttp(service.httpPort, exportActions, {
      token: compliance,
      headers: { "content-type": "application/connect+json", "connect-content-encoding": "gzip" },
      body,
    });
    expect(answer.status).toBe(200);
    const error = readJsonError(String(unwrap(answer.body).at(-1)?.message));
    expect(error).toMatchObject({ code: "invalid_argument", reasons: ["INVALID_FIELD"], fields: [""] });
  });

  test.each([
    ["an encoding that nobody knows", { "content-encoding": "zstd" }],
    ["another encoding than the one it names", { "content-encoding": "gzip" }],
    ["a timeout that is none", { "connect-timeout-ms": "soon" }],
  ])("%s", async (_, headers) => {
    expect(await postJson(JSON.stringify(good), headers)).toMatchObject({
      code: "invalid_argument",
      fields: [""],
    });
  });
});

test("a stranger's bad request is refused for its token, not for its faults", async () => {
  const headers = { "content-type": "application/json" };
  const answer = await callHttp(service.httpPort, record, { headers, body: "{" });
  expect(readJsonError(answer.body.toString())).toMatchObject({ reasons: ["TOKEN_INVALID"] });
  using client = grpcClient(service.grpcPort);
  expect(await callGrpc(client, record, { requests: [Buffer.from([0xff])] })).toMatchObject({
    reasons: ["TOKEN_INVALID"],
  });
});
