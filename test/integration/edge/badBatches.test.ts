import { create, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorReason } from "../../../gen/ts/polytraders/governance/v1/error_reason_pb.ts";
import {
  ExecutionReportBatchSchema,
  ExecutionReportSchema,
  StreamExecutionReportsRequestSchema,
  StreamExecutionReportsResponseSchema,
  StreamOpenSchema,
  StreamUserActionsRequestSchema,
  StreamUserActionsResponseSchema,
  UserActionBatchSchema,
  UserActionSchema,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { actionFields, bytesWith, field, goodAction, goodReport, reportFields, text } from "./badValues.ts";
import { callGrpc, grpcClient, pathOf } from "./raw.ts";
import { expectReason } from "./refusals.ts";

const { streamUserActions, streamExecutionReports } = UserActivityLedgerService.method;

/** Both streams of the contract, alike but for what their batches hold. */
const streams = [
  {
    name: "StreamUserActions",
    items: "actions",
    method: streamUserActions,
    messages: [StreamUserActionsRequestSchema, StreamOpenSchema, UserActionBatchSchema],
    response: StreamUserActionsResponseSchema,
    item: UserActionSchema,
    fields: actionFields,
    good: goodAction,
  },
  {
    name: "StreamExecutionReports",
    items: "reports",
    method: streamExecutionReports,
    messages: [StreamExecutionReportsRequestSchema, StreamOpenSchema, ExecutionReportBatchSchema],
    response: StreamExecutionReportsResponseSchema,
    item: ExecutionReportSchema,
    fields: reportFields,
    good: goodReport,
  },
] as const;

let service: TestService;
let client: ReturnType<typeof grpcClient>;
let token: string;
beforeAll(async () => {
  service = await startTestService();
  client = grpcClient(service.grpcPort);
  token = await service.token({ roles: ["bot"] });
});
afterAll(async () => {
  client.close();
  await service[Symbol.asyncDispose]();
});

let count = 0;
const nextId = () => `event-${++count}`;
const open = (streamId: string) => field(1, field(1, Buffer.from(streamId)));

function batch(firstOffset: bigint, actions: readonly Uint8Array[]): Uint8Array {
  const head = toBinary(UserActionBatchSchema, create(UserActionBatchSchema, { firstOffset }));
  return field(2, Buffer.concat([head, ...actions.map((action) => field(2, action))]));
}

async function stored(): Promise<number> {
  const rows = await service.database.query(
    "superuser",
    "select record_id from ledger.user_action union all select record_id from ledger.fill_report",
  );
  return rows.length;
}

describe.each(streams)("$name", (stream) => {
  const { items } = stream;
  const good = () =>
    toBinary<DescMessage>(stream.item, create<DescMessage>(stream.item, stream.good(nextId())));

  test("every field of the stream's messages has its rows here", () => {
    const names = stream.messages.map((desc) => desc.fields.map((one) => one.name));
    expect(names).toEqual([["open", "batch"], ["stream_id"], ["first_offset", items]]);
    expect(Object.keys(stream.fields).sort()).toEqual(stream.item.fields.map((one) => one.name).sort());
  });

  describe("in a batch, a bad one is refused by itself and its neighbours are recorded:", () => {
    test.each(stream.item.fields)("$name", async (one) => {
      const rows = Object.entries(stream.fields[one.name]?.bad ?? {});
      const bad = rows.map(([, value]) => bytesWith(stream.item, stream.good(nextId()), one, value));
      const before = await stored();
      const answer = await callGrpc(client, pathOf(stream.method), {
        token,
        requests: [
          open(one.name),
          ...bad.map((action, i) => batch(BigInt(3 * i + 1), [good(), action, good()])),
        ],
      });
      expect(answer).toMatchObject({ code: 0 });
      const acks = answer.messages
        .slice(1)
        .map(
          (bytes) =>
            fromBinary<typeof StreamUserActionsResponseSchema | typeof StreamExecutionReportsResponseSchema>(
              stream.response,
              bytes,
            ).message,
        );
      expect(acks).toHaveLength(rows.length);
      for (const [i, [what]] of rows.entries()) {
        const ack = acks[i];
        if (ack?.case !== "ack") throw new Error(`no ack for ${what}`);
        expect(ack.value.lastOffset).toBe(BigInt(3 * i + 3));
        expect(ack.value.results, what).toMatchObject([
          { offset: BigInt(3 * i + 2), reason: ErrorReason.INVALID_FIELD, field: `${items}[1].${one.name}` },
        ]);
        expectReason("INVALID_FIELD", ack.value.results[0]?.message ?? "");
      }
      expect(await stored()).toBe(before + 2 * rows.length);
    });
  });

  const streamIds = text({ max: 128, required: true });

  describe("a stream is refused when", () => {
    test.each<readonly [string, readonly Uint8Array[], string]>([
      ["it says nothing", [], "open"],
      ["its first message is empty", [new Uint8Array()], "open"],
      ["its first message is a batch", [batch(1n, [good()])], "open"],
      ["it is opened twice", [open("twice"), open("twice")], "batch"],
      ["a later message is empty", [open("empty"), new Uint8Array()], "batch"],
      ["a batch starts before 1", [open("offset"), batch(0n, [good()])], "batch.first_offset"],
      ["a batch starts below zero", [open("offset"), batch(-1n, [good()])], "batch.first_offset"],
      ["a batch ends beyond 2^63", [open("offset"), batch(2n ** 63n - 1n, [good()])], "batch.first_offset"],
      ["a batch is empty", [open("none"), batch(1n, [])], `batch.${items}`],
      [
        "a batch has one too many",
        [open("many"), batch(1n, Array.from({ length: 1001 }, good))],
        `batch.${items}`,
      ],
      ["a message is noise", [open("noise"), Buffer.from([0xff, 0xff])], ""],
    ])("%s", async (_, requests, at) => {
      const before = await stored();
      const answer = await callGrpc(client, pathOf(stream.method), { token, requests });
      expect(answer).toMatchObject({ code: 3, reasons: ["INVALID_FIELD"], fields: [at] });
      expectReason("INVALID_FIELD", answer.message);
      expect(await stored()).toBe(before);
    });

    test.each(Object.entries(streamIds.bad))("its id is %s", async (_, value) => {
      const [streamId] = StreamOpenSchema.fields;
      if (streamId === undefined) throw new Error("no such field");
      const answer = await callGrpc(client, pathOf(stream.method), {
        token,
        requests: [field(1, bytesWith(StreamOpenSchema, {}, streamId, value))],
      });
      expect(answer).toMatchObject({ code: 3, reasons: ["INVALID_FIELD"], fields: ["open.stream_id"] });
    });
  });

  test("a batch of 1,000 and a stream id as long as may be are taken", async () => {
    const before = await stored();
    const answer = await callGrpc(client, pathOf(stream.method), {
      token,
      requests: [open("s".repeat(128)), batch(1n, Array.from({ length: 1000 }, good))],
    });
    expect(answer).toMatchObject({ code: 0 });
    expect(await stored()).toBe(before + 1000);
  });
});
