import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseExact } from "../support/exportReader.ts";
import { changeRow, event, replaying, summary } from "../support/replaying.ts";
import { startTestService, type TestService } from "../support/service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

const { file, replay, actionsOf, changesOf } = replaying(() => service);

test.concurrent("CloudTrail events become user actions, parameters digit for digit", async () => {
  const params = '{ "n": 12345678901234567890123.4500, "zero": -0, "list": [1e400, {"deep": null}] }';
  const path = await file(
    "mapped.jsonl",
    [
      event("ct1", "arn:mapped", `,"requestParameters": ${params} `),
      event("ct2", "arn:mapped", ',"requestParameters":null'),
      event("ct3", "arn:mapped", ""),
    ].join("\r\n"),
  );
  const run = await replay([path], "--json");
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  expect(summary(run)).toMatchObject({
    kind: "user-actions",
    sent: 3,
    recorded: 3,
    duplicates: 0,
    refused: 0,
  });
  const actions = await actionsOf("arn:mapped@2023-07-10");
  expect(actions).toMatchObject([
    {
      event_id: "ct1",
      action_type: "GET_USER",
      occurred_at: "2023-07-10T23:59:59Z",
      wallet_address: `0x${createHash("sha256").update("arn:mapped").digest("hex").slice(0, 40)}`,
      action_params: parseExact(params),
    },
    { event_id: "ct2", action_params: null },
    { event_id: "ct3" },
  ]);
  expect(actions[2]).not.toHaveProperty("action_params");
});

test.concurrent("rows as spec 001 §11 prints them are user actions too", async () => {
  const row = `{"event_id":"native1","wallet":"0xdeadbeef00000000000000000000000000000001","session_id":"native","action_type":"HALT","params":{"n":0.10},"trace_id":"t","session_seq":7}`;
  const run = await replay([await file("native.jsonl", `${row}\n`)], "--json");
  expect(summary(run)).toMatchObject({ kind: "user-actions", recorded: 1 });
  expect(await actionsOf("native")).toMatchObject([
    {
      event_id: "native1",
      trace_id: "t",
      session_seq: { number: "7" },
      action_params: { n: { number: "0.10" } },
    },
  ]);
});

test.concurrent("parameter changes are asked about; none, null and the text null stay apart", async () => {
  const row = (values: string) =>
    `{"bot_slug":"nulls","param_name":"p","editor_id":"ed","changed_at":"2023-11-01T18:59:00.5+05:30","ticket_ref":"T-1",${values},"_note":1}`;
  const rows = [
    row('"old_value":null,"new_value":"null"'),
    row('"new_value":"-0.0"'),
    row('"old_value":"\\"null\\"","new_value":"[1e2]"'),
  ];
  const run = await replay([await file("nulls.jsonl.gz", gzipSync(`${rows.join("\n")}\n`))], "--json");
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  expect(summary(run)).toMatchObject({ kind: "parameter-changes", sent: 3, recorded: 3 });
  const changes = await changesOf("nulls");
  expect(changes).toMatchObject([
    {
      write_id: "nulls.jsonl.gz:1",
      new_value: null,
      claimed_changed_at: "2023-11-01T13:29:00.500Z",
      ticket_ref: "T-1",
    },
    { write_id: "nulls.jsonl.gz:2", new_value: { number: "-0.0" } },
    { write_id: "nulls.jsonl.gz:3", old_value: "null", new_value: [{ number: "1e2" }] },
  ]);
  expect(changes[0]).not.toHaveProperty("old_value");
  expect(changes[1]).not.toHaveProperty("old_value");
});

test.concurrent("what is replayed twice is on record once", async () => {
  const actions = await file(
    "twice.jsonl",
    Array.from({ length: 700 }, (_, i) => event(`tw${i}`, "arn:twice", "")).join("\n"),
  );
  const changes = await file(
    "twice-changes.jsonl",
    Array.from({ length: 120 }, (_, i) => changeRow("twice", `p${i % 7}`, i)).join("\n"),
  );
  const first = JSON.parse((await replay([actions, changes], "--json")).stdout);
  expect(first.files).toMatchObject([
    { recorded: 700, duplicates: 0 },
    { recorded: 120, duplicates: 0 },
  ]);
  const before = [await actionsOf("arn:twice@2023-07-10"), await changesOf("twice")];
  const again = await replay([actions, changes], "--json");
  expect(again.exitCode).toBe(0);
  expect(JSON.parse(again.stdout).files).toMatchObject([
    { sent: 700, recorded: 0, duplicates: 700, refused: 0 },
    { sent: 120, recorded: 0, duplicates: 120, refused: 0 },
  ]);
  expect([await actionsOf("arn:twice@2023-07-10"), await changesOf("twice")]).toEqual(before);
});

test.concurrent("changes of one parameter are recorded in the order of the file, however its name is spelt", async () => {
  const names = ["max_size", "maxSize", "MAX-SIZE"];
  const rows = Array.from({ length: 300 }, (_, i) => changeRow("ordered", names[i % 3] ?? "", i));
  expect((await replay([await file("ordered.jsonl", rows.join("\n"))])).exitCode).toBe(0);
  const values = (await changesOf("ordered")).map((change) => change.new_value);
  expect(values).toEqual(rows.map((_, i) => ({ number: String(i) })));
});

test.concurrent("bad rows are refused by line and reason, their neighbours are recorded", async () => {
  const rows = [
    event("bad0", "arn:bad", ""),
    "not JSON",
    event("bad2", "arn:bad", ',"requestParameters":{"a":1,"a":2}'),
    "",
    `{"eventID":"bad4","eventName":"GetUser","userIdentity":{}}`,
    event("bad5", "arn:bad", ',"requestParameters":[1]'),
    event("bad6", "arn:bad", `,"requestParameters":${'{"a":'.repeat(40)}1${"}".repeat(40)}`),
    event("bad7\\u0000", "arn:bad", ""),
    event("bad8\\ud800", "arn:bad", ""),
    event("bad9", "arn:bad", `,"requestParameters":"${"x".repeat(3 * 1024 * 1024)}"`),
    event("bad0", "arn:bad", ',"requestParameters":{"other":1}'),
    event("bad11", "arn:bad", ""),
  ];
  const bytes = Buffer.concat([Buffer.from(`${rows.join("\n")}\n`), Buffer.from([0x7b, 0xff, 0x7d])]);
  const path = await file("bad.jsonl", bytes);
  const run = await replay([path], "--json");
  expect(run).toMatchObject({ exitCode: 5, stderr: "" });
  expect(summary(run)).toMatchObject({
    recorded: 2,
    refused: 10,
    reasons: { BAD_ROW: 5, INVALID_FIELD: 4, EVENT_ID_CONFLICT: 1 },
  });
  const text = (await replay([path])).stdout;
  expect(text).toContain("line 3: INVALID_FIELD: actions[1].params_json");
  expect(text).toContain("line 5: eventTime is missing");
  expect(text).toContain("line 13: the line is not UTF-8");
  const ids = (await actionsOf("arn:bad@2023-07-10")).map((action) => action.event_id);
  expect(ids).toEqual(["bad0", "bad11"]);
});

test.concurrent("changes that are refused are named with their reason, and a rejected one is on record", async () => {
  const rows = [
    changeRow("refusals", "a", 1),
    changeRow("refusals", "b", 2).replace('"new_value":"2"', '"new_value":"{1}"'),
    changeRow("refusals", "c", 3).replace('"editor_id":"ed",', ""),
    changeRow("gov.useractivityledger", "x", 4),
  ];
  const run = await replay([await file("refusals.jsonl", rows.join("\n"))], "--json");
  expect(run.exitCode).toBe(5);
  expect(summary(run)).toMatchObject({
    sent: 3,
    recorded: 2,
    rejected: 1,
    refused: 2,
    reasons: { BAD_ROW: 1, INVALID_FIELD: 1 },
    examples: [{ line: 3 }, { line: 2, reason: "INVALID_FIELD" }],
  });
  const changed = await file("refusals.jsonl", rows[0]?.replace('"new_value":"1"', '"new_value":"9"') ?? "");
  expect(summary(await replay([changed], "--json"))).toMatchObject({ reasons: { WRITE_ID_CONFLICT: 1 } });
});

test.concurrent("what a file holds is said with --as where its first row does not show it", async () => {
  const path = await file("unclear.jsonl", `{"a":1}\n${event("unclear", "arn:unclear", "")}\n`);
  const unclear = await replay([path]);
  expect(unclear).toMatchObject({ exitCode: 2, stdout: "" });
  expect(unclear.stderr).toMatch(/^governance: .*unclear\.jsonl: line 1: .*--as\n$/);
  const run = await replay([path], "--as", "user-actions", "--json");
  expect(run.exitCode).toBe(5);
  expect(summary(run)).toMatchObject({ recorded: 1, refused: 1 });
  const empty = await replay([await file("empty.jsonl", "\n\n")], "--json");
  expect(empty.exitCode).toBe(0);
  expect(summary(empty)).toMatchObject({ kind: null, sent: 0 });
});
