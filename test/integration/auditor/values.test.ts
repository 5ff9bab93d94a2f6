import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  FieldChangeKind,
  Verdict,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs, postJson } from "../../support/callers.ts";
import { microsOf, stoppedClock } from "../../support/clock.ts";
import {
  collect,
  expectChainOver,
  expectTrailerToProve,
  parseExact,
  readExport,
} from "../../support/exportReader.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { enforce, write } from "./writes.ts";

const clock = stoppedClock("2026-05-09T10:00:00Z");
let service: TestService;
let configStore: AuditorClient;
let compliance: AuditorClient;
beforeAll(async () => {
  service = await startTestService({ clock, config: enforce });
  configStore = await auditorAs(service, "config-store");
  compliance = await auditorAs(service, "compliance");
});
afterAll(() => service[Symbol.asyncDispose]());

type Filters = Extract<Parameters<AuditorClient["exportParameterChanges"]>[0], { $typeName?: never }>;

async function exportedLines(filters: Filters): Promise<string[]> {
  const received = await readExport(compliance.exportParameterChanges(filters));
  expectTrailerToProve(received);
  expectChainOver(received.lines, received.trailer);
  return [...received.lines];
}

const { ADDED, REMOVED, CHANGED } = FieldChangeKind;

test.each<[string, string | undefined, string | undefined, object[]]>([
  ["absent to absent", undefined, undefined, []],
  ["absent to null", undefined, "null", [{ kind: ADDED, path: "", newJson: "null" }]],
  ["null to absent", "null", undefined, [{ kind: REMOVED, path: "", oldJson: "null" }]],
  ["null to an empty string", "null", '""', [{ kind: CHANGED, path: "", oldJson: "null", newJson: '""' }]],
  ["an empty string to false", '""', "false", [{ kind: CHANGED, path: "", oldJson: '""', newJson: "false" }]],
  ["false to 0", "false", "0", [{ kind: CHANGED, path: "", oldJson: "false", newJson: "0" }]],
  [
    "an empty object to an empty list",
    "{}",
    "[]",
    [{ kind: CHANGED, path: "", oldJson: "{}", newJson: "[]" }],
  ],
  ["a member null to absent", '{"a":null}', "{}", [{ kind: REMOVED, path: "/a", oldJson: "null" }]],
  ["a number to its text", "1", '"1"', [{ kind: CHANGED, path: "", oldJson: "1", newJson: '"1"' }]],
  ["what it was, spelt differently", '{"a":1.0,"b":[]}', '{"b":[],"a":1}', []],
])("from %s: kept apart from the diff to the export", async (what, oldValueJson, newValueJson, diff) => {
  const answer = await configStore.checkWrite(write(what, { oldValueJson, newValueJson }));
  expect(answer.diff).toMatchObject(diff);
  expect(answer.diff).toHaveLength(diff.length);
  expect([answer.report?.oldValueJson, answer.report?.newValueJson]).toEqual([oldValueJson, newValueJson]);

  const [line = "", ...more] = await exportedLines({ paramName: what });
  expect(more).toEqual([]);
  const exported = parseExact(line);
  for (const [member, sent] of Object.entries({ old_value: oldValueJson, new_value: newValueJson })) {
    if (sent === undefined) expect(exported).not.toHaveProperty(member);
    else expect(exported).toHaveProperty(member, parseExact(sent));
  }
  const { changes } = await compliance.listParameterChanges({ paramName: what });
  expect(changes[0]?.diff).toMatchObject(diff);
});

test.each([
  ["null", '"old_value": null, "new_value": ""', '"old_value":null,"new_value":""'],
  ["nothing", "", ""],
  [
    "lists and objects",
    '"old_value": [], "new_value": {"a": [null]}',
    '"old_value":[],"new_value":{"a":[null]}',
  ],
])("posted as plain JSON, %s stays what it is", async (what, members, expected) => {
  const body = `{"bot_slug": "strategy.json", "param_name": "${what}", "editor_id": "e"${members && ", "}${members}}`;
  const answer = await postJson(service, "config-store", "ParameterChangeAuditorService/CheckWrite", body);
  expect(answer.status).toBe(200);
  const [line = ""] = await exportedLines({ paramName: what, botSlug: "strategy.json" });
  expect(line).toContain(`"param_name":"${what}",${expected}${expected && ","}"editor_id"`);
});

test("every value comes back as it was sent, digit for digit", async () => {
  const values = [
    "9007199254740993",
    "0.1000000000000000055511151231257827021181583404541015625",
    "-0",
    "1.50e-300",
    '"\\u2028 \\u0000 \\ud83d\\ude00"',
    '{"\u2028":["\u0085",123456789012345678901234567890]}',
    `"${"v".repeat(200_000)}"`,
    `${"[".repeat(32)}${"]".repeat(32)}`,
  ];
  for (const [i, value] of values.entries()) {
    await configStore.checkWrite(write("exact", { oldValueJson: value, newValueJson: values.at(i - 1) }));
  }
  const lines = await exportedLines({ paramName: "exact" });
  expect(lines.map((line) => parseExact(line))).toEqual(
    values.map((value, i) =>
      expect.objectContaining({
        old_value: parseExact(value),
        new_value: parseExact(values.at(i - 1) ?? ""),
      }),
    ),
  );
});

test("doubles beyond 2^53 are marked in the answer, the list and the export", async () => {
  const newValue = { kind: { case: "numberValue", value: 2 ** 70 } } as const;
  const { report } = await configStore.checkWrite(write("inexact", { newValue }));
  const { changes } = await compliance.listParameterChanges({ paramName: "inexact" });
  const [line = ""] = await exportedLines({ paramName: "inexact" });
  expect([report?.inexact, changes[0]?.report?.inexact, JSON.parse(line).inexact]).toEqual(
    Array.from({ length: 3 }, () => ["/new_value"]),
  );
});

test("an absent environment is recorded as absent, and every other field as it was sent", async () => {
  clock.set("2026-05-09T10:00:00Z");
  await configStore.checkWrite(write("plain"));
  const full = write("päram/name-#1 😀", {
    environment: "production",
    ticketRef: "PTRD 7",
    traceId: "trc",
    writeId: "full",
    changedAt: { seconds: 1_700_000_000n, nanos: 1 },
  });
  await configStore.checkWrite(full);
  const [plain = ""] = await exportedLines({ paramName: "plain" });
  expect(Object.keys(JSON.parse(plain))).not.toContain("environment");
  const [line = ""] = await exportedLines({ paramName: "PÄRAM/NAME#1 😀" });
  expect(JSON.parse(line)).toMatchObject({
    audited_bot: "strategy.sports",
    param_name: full.paramName,
    environment: "production",
    ticket_ref: "PTRD 7",
    trace_id: "trc",
    write_id: "full",
    claimed_changed_at: "2023-11-14T22:13:20.000000001Z",
    changed_at: "2026-05-09T10:00:00Z",
    editor_id: "alice@polytraders",
    recorded_by: "tester",
  });
});

describe("filters of lists and exports", () => {
  beforeAll(async () => {
    clock.set("2026-06-01T00:00:00Z");
    await configStore.checkWrite(write("f-one", { botSlug: "filter.bot_a", traceId: "1" }));
    await configStore.checkWrite(write("f_two", { botSlug: "filter.bot_a", ticketRef: "T-1", traceId: "2" }));
    clock.set("2026-06-02T00:00:00Z");
    await configStore.checkWrite(write("f_one", { botSlug: "Filter.BotA", editorId: "bob", traceId: "3" }));
    await configStore.checkWrite(write("mode", { botSlug: "gov.filter", traceId: "4" }));
    clock.set("2026-06-03T00:00:00Z");
  });

  const at = (iso: string) => ({ seconds: BigInt(microsOf(iso)) / 1_000_000n, nanos: 0 });
  const fromTime = at("2026-06-01T00:00:00Z");

  test.each<[string, Filters, string[]]>([
    ["nothing but time", {}, ["1", "2", "3", "4"]],
    ["a bot, however it is spelt", { botSlug: "FILTER.bot-a" }, ["1", "2", "3"]],
    ["a parameter, however it is spelt", { paramName: "FOne" }, ["1", "3"]],
    ["an editor", { editorId: "bob" }, ["3"]],
    ["a tier", { paramTier: "P0" }, ["4"]],
    ["what was allowed", { verdict: Verdict.ALLOW }, ["1", "2", "3"]],
    ["what was rejected", { verdict: Verdict.REJECT }, ["4"]],
    ["a ticket", { ticketRef: "T-1" }, ["2"]],
    ["a time from", { fromTime: at("2026-06-02T00:00:00Z") }, ["3", "4"]],
    ["a time to", { toTime: at("2026-06-02T00:00:00Z") }, ["1", "2"]],
    ["what nobody wrote", { botSlug: "filter.bot_a", editorId: "carol" }, []],
  ])("by %s", async (_, filters, traces) => {
    const lines = await exportedLines({ fromTime, ...filters });
    expect(lines.map((line) => JSON.parse(line).trace_id)).toEqual(traces);
    const listed: (string | undefined)[] = [];
    let pageToken = "";
    do {
      const page = await compliance.listParameterChanges({ fromTime, ...filters, pageSize: 2, pageToken });
      listed.push(...page.changes.map((change) => change.report?.traceId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(listed).toEqual(traces.toReversed());
  });

  test.each<[string, Filters]>([
    ["bot_slug", { botSlug: "b".repeat(129) }],
    ["param_name", { paramName: "p".repeat(513) }],
    ["editor_id", { editorId: "\0" }],
    ["param_tier", { paramTier: "p0" }],
    ["ticket_ref", { ticketRef: "t".repeat(257) }],
    ["to_time", { fromTime: at("2026-06-02T00:00:00Z"), toTime: at("2026-06-01T00:00:00Z") }],
  ])("a bad %s is refused with its path, by both", async (field, filters) => {
    const refused = { code: "InvalidArgument", reason: "INVALID_FIELD", field };
    expect(await refusalOf(compliance.listParameterChanges(filters))).toMatchObject(refused);
    expect(await refusalOf(collect(compliance.exportParameterChanges(filters)))).toMatchObject(refused);
  });

  test("tokens of other filters, of the other call or changed ones are refused", async () => {
    const { nextPageToken: pageToken } = await compliance.listParameterChanges({ fromTime, pageSize: 1 });
    const [chunk] = await collect(compliance.exportParameterChanges({ fromTime }));
    const resumeToken = chunk?.resumeToken ?? "";
    const lists = [
      { pageToken },
      { pageToken: resumeToken, fromTime },
      { pageToken: `A${pageToken.slice(1)}B`, fromTime },
    ];
    for (const list of lists) {
      expect(await refusalOf(compliance.listParameterChanges(list))).toMatchObject({ field: "page_token" });
    }
    const exports = [
      { resumeToken },
      { resumeToken: pageToken, fromTime },
      { resumeToken: "forged", fromTime },
    ];
    for (const attempt of exports) {
      const refusal = await refusalOf(collect(compliance.exportParameterChanges(attempt)));
      expect(refusal).toMatchObject({ code: "InvalidArgument", field: "resume_token" });
    }
    const rest = await readExport(compliance.exportParameterChanges({ resumeToken, fromTime }));
    expect(rest.lines).toEqual([]);
    expect(rest.trailer.totalCount).toBe(4n);
  });
});

test("an export of large values goes on behind any chunk with the same bytes", async () => {
  const value = JSON.stringify("x".repeat(120_000));
  for (let i = 0; i < 8; i++) {
    await configStore.checkWrite(
      write("large", { oldValueJson: value, newValueJson: value, traceId: String(i) }),
    );
  }
  const uncut = await readExport(compliance.exportParameterChanges({ paramName: "large" }));
  expect(uncut.resumePoints.length).toBeGreaterThan(2);
  for (const { bytes, token } of uncut.resumePoints) {
    const rest = await readExport(
      compliance.exportParameterChanges({ paramName: "large", resumeToken: token }),
    );
    expect(rest.bytes.equals(uncut.bytes.subarray(bytes))).toBe(true);
    expectChainOver(uncut.lines, rest.trailer);
  }
});
