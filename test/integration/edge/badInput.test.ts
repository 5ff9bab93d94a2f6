import { create, type DescField, type DescMethod, toBinary, toJsonString } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccessLogService } from "../../../gen/ts/polytraders/governance/v1/access_log_service_pb.ts";
import { BotConfigService } from "../../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { ParameterChangeAuditorService } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { RetentionService } from "../../../gen/ts/polytraders/governance/v1/retention_service_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import type { Role } from "../../../src/server/access.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import {
  actionFields,
  actionType,
  anyValue,
  bytesWith,
  exactJson,
  type FieldRows,
  goodAction,
  goodReport,
  numbers,
  oneOf,
  pageSize,
  reportFields,
  text,
  time,
  token,
  type Value,
  wallet,
} from "./badValues.ts";
import { callGrpc, callHttp, envelope, grpcClient, pathOf, readJsonError, unwrap } from "./raw.ts";
import { expectReason } from "./refusals.ts";

type Request = {
  readonly method: DescMethod;
  readonly role: Role;
  /** What is sent beside the field in question; a fresh id each time where the method records. */
  readonly rest: (id: string) => Record<string, unknown>;
  readonly fields: Readonly<Record<string, FieldRows>>;
};

const {
  recordUserAction,
  recordExecutionReport,
  closeAccount,
  listUserActions,
  exportUserActions,
  listFills,
  exportFills,
} = UserActivityLedgerService.method;
const { listSessionActivity, listSessionGaps, listEventConflicts } = UserActivityLedgerService.method;
const { listAccessLog, exportAccessLog } = AccessLogService.method;
const { checkWrite, listParameterChanges, exportParameterChanges } = ParameterChangeAuditorService.method;
const { confirmWrite, recordUngatedWrite, reconcileConfig, getConfigAsOf, listBreakGlass, reviewBreakGlass } =
  ParameterChangeAuditorService.method;

const { placeLegalHold, listLegalHolds, listPurgeRuns } = RetentionService.method;

const kilobyte = 1024;
const id = text({ max: 128 });
const yesOrNo = numbers({ bad: [], good: [true, false], badJson: ['"yes"', "1"] });
const verdict = numbers({ bad: [3, 99, -1], good: [0, 1, 2], badJson: ['"VERDICT_MAYBE"', "1.5", "{}"] });

const actionFilters = {
  wallet: wallet({ required: false }),
  session_id: id,
  trace_id: id,
  action_type: actionType({ required: false }),
  from_time: time,
  to_time: time,
};
const fillFilters = {
  fill_id: text({ max: 513 }),
  trade_id: id,
  order_id: id,
  trace_id: id,
  wallet: wallet({ required: false }),
  from_time: time,
  to_time: time,
};
const changeFilters = {
  bot_slug: text({ max: 128 }),
  param_name: text({ max: 512 }),
  editor_id: text({ max: 256 }),
  param_tier: oneOf(["P0", "P1", "P2", "P3"]),
  verdict,
  ticket_ref: text({ max: 256 }),
  from_time: time,
  to_time: time,
};

const callFilters = {
  subject: text({ max: 1024 }),
  method: oneOf(["UserActivityLedgerService/ListUserActions"]),
  outcome: text({ max: 64 }),
  from_time: time,
  to_time: time,
};

/** Parameters without values: they are compared and differ from nothing. */
const liveValues = (count: number) => Array.from({ length: count }, (_, i) => ({ paramName: `none ${i}` }));

/** An allowed write's decision, which can be confirmed. */
let decisionId = "";
/** A use of break-glass, by somebody else than who reviews it. */
let breakGlassId = "";

const badDecisionIds = {
  bad: {
    empty: { value: "" },
    "a character too few": { value: "0".repeat(25) },
    "a character too many": { value: "0".repeat(27) },
    "in lower case": { value: "01m7yp4te9fj5r47j698gnce4f" },
    "with a letter that looks like a digit": { value: `${"0".repeat(25)}O` },
    "with a line end": { value: `${"0".repeat(25)}\n` },
    "1 MiB": { value: "0".repeat(kilobyte * kilobyte) },
  },
  badJson: { "a number": "0", "half a surrogate pair": '"\\ud800"' },
};

const requests: readonly Request[] = [
  {
    method: recordUserAction,
    role: "bot",
    rest: goodAction,
    fields: actionFields,
  },
  {
    method: recordExecutionReport,
    role: "bot",
    rest: goodReport,
    fields: reportFields,
  },
  {
    method: closeAccount,
    role: "account",
    rest: (eventId) => ({ eventId, wallet: `0x${"1".repeat(40)}`, sessionId: "s" }),
    fields: {
      // Event ids are one space with those of the actions above.
      event_id: {
        ...text({ max: 128, required: true }),
        good: { "as long as may be": { value: "c".repeat(128) } },
      },
      wallet: wallet({ required: true }),
      session_id: text({ max: 128, required: true }),
    },
  },
  {
    method: listFills,
    role: "compliance",
    rest: () => ({}),
    fields: { page_size: pageSize, page_token: token, ...fillFilters },
  },
  {
    method: exportFills,
    role: "compliance",
    rest: () => ({}),
    fields: { resume_token: token, ...fillFilters },
  },
  {
    method: listUserActions,
    role: "compliance",
    rest: () => ({}),
    fields: { page_size: pageSize, page_token: token, ...actionFilters },
  },
  {
    method: exportUserActions,
    role: "compliance",
    rest: () => ({}),
    fields: { resume_token: token, ...actionFilters },
  },
  {
    method: listSessionActivity,
    role: "compliance",
    rest: () => ({ sessionId: "session" }),
    fields: { session_id: text({ max: 128, required: true }), page_size: pageSize, page_token: token },
  },
  {
    method: listSessionGaps,
    role: "compliance",
    rest: () => ({}),
    fields: { page_size: pageSize, page_token: token, session_id: id },
  },
  {
    method: listEventConflicts,
    role: "compliance",
    rest: () => ({}),
    fields: { page_size: pageSize, page_token: token, event_id: id, from_time: time, to_time: time },
  },
  {
    method: listAccessLog,
    role: "compliance",
    rest: () => ({}),
    fields: { page_size: pageSize, page_token: token, ...callFilters },
  },
  {
    method: exportAccessLog,
    role: "compliance",
    rest: () => ({}),
    fields: { resume_token: token, ...callFilters },
  },
  {
    method: checkWrite,
    role: "break-glass",
    rest: () => ({
      botSlug: "risk.guard",
      paramName: "limit",
      editorId: "alice",
      breakGlassReason: "the venue is down",
    }),
    fields: {
      bot_slug: text({ max: 128, required: true }),
      param_name: text({ max: 512, required: true }),
      old_value: anyValue({ max: 256 * kilobyte }),
      new_value: anyValue({ max: 256 * kilobyte }),
      editor_id: text({ max: 256, required: true }),
      ticket_ref: text({ max: 256 }),
      environment: text({ max: 64 }),
      write_id: text({ max: 256 }),
      trace_id: id,
      changed_at: time,
      dry_run: yesOrNo,
      old_value_json: exactJson({ max: 256 * kilobyte, objectsOnly: false }),
      new_value_json: exactJson({ max: 256 * kilobyte, objectsOnly: false }),
      break_glass_reason: text({ max: 1024, required: true }),
    },
  },
  {
    method: listParameterChanges,
    role: "compliance",
    rest: () => ({}),
    fields: {
      page_size: pageSize,
      page_token: token,
      ...changeFilters,
      unconfirmed: yesOrNo,
      ungated: yesOrNo,
    },
  },
  {
    method: listBreakGlass,
    role: "operator",
    rest: () => ({}),
    fields: { page_size: pageSize, page_token: token, reviewed_too: yesOrNo },
  },
  {
    method: reviewBreakGlass,
    role: "operator",
    rest: () => ({ decisionId: breakGlassId, comment: "as it had to be" }),
    fields: {
      decision_id: {
        ...badDecisionIds,
        get good() {
          return { "one that is on record": { value: breakGlassId } };
        },
      },
      comment: text({ max: 1000, required: true }),
    },
  },
  {
    method: confirmWrite,
    role: "bot",
    rest: () => ({ decisionId, outcome: 1 }),
    fields: {
      decision_id: {
        ...badDecisionIds,
        get good() {
          return { "one that is on record": { value: decisionId } };
        },
      },
      outcome: numbers({ bad: [0, 3, 99, -1], good: [1, 2], badJson: ['"APPLIED"', "1.5", "{}"] }),
    },
  },
  {
    method: recordUngatedWrite,
    role: "bot",
    rest: (writeId) => ({
      botSlug: "risk.guard",
      paramName: "limit",
      editorId: "alice",
      writeId,
      changedAt: { seconds: 1n, nanos: 0 },
      cause: "UNAVAILABLE",
    }),
    fields: {
      bot_slug: text({ max: 128, required: true }),
      param_name: text({ max: 512, required: true }),
      old_value: anyValue({ max: 256 * kilobyte }),
      new_value: anyValue({ max: 256 * kilobyte }),
      editor_id: text({ max: 256, required: true }),
      ticket_ref: text({ max: 256 }),
      environment: text({ max: 64 }),
      write_id: text({ max: 256, required: true }),
      trace_id: id,
      changed_at: { ...time, bad: { ...time.bad, "none at all": { value: undefined } } },
      old_value_json: exactJson({ max: 256 * kilobyte, objectsOnly: false }),
      new_value_json: exactJson({ max: 256 * kilobyte, objectsOnly: false }),
      cause: text({ max: 256, required: true }),
    },
  },
  {
    method: reconcileConfig,
    role: "bot",
    rest: () => ({ botSlug: "risk.guard" }),
    fields: {
      bot_slug: text({ max: 128, required: true }),
      // What may be wrong inside has tests of its own (auditor/reconcile.test.ts).
      live_values: {
        bad: { "10,001 values": { value: liveValues(10_001) } },
        good: { none: { value: [] }, "10,000 values": { value: liveValues(10_000) } },
        badJson: { "a text": '"p"', "an object": "{}", "a list of texts": '["p"]' },
      },
      environment: text({ max: 64 }),
    },
  },
  {
    method: getConfigAsOf,
    role: "compliance",
    rest: () => ({ botSlug: "risk.guard" }),
    fields: {
      bot_slug: text({ max: 128, required: true }),
      time,
      basis: numbers({ bad: [3, 99, -1], good: [0, 1, 2], badJson: ['"CHANGED"', "1.5", "{}"] }),
    },
  },
  {
    method: exportParameterChanges,
    role: "compliance",
    rest: () => ({}),
    fields: { resume_token: token, ...changeFilters },
  },
  {
    method: BotConfigService.method.getBotConfig,
    role: "bot",
    rest: () => ({ botId: "gov.useractivityledger" }),
    fields: { bot_id: oneOf(["gov.useractivityledger", "gov.parameterchangeauditor"]) },
  },
  {
    method: BotConfigService.method.updateBotConfig,
    role: "operator",
    rest: () => ({
      botId: "gov.useractivityledger",
      paramName: "mode",
      value: stringValue("shadow_only"),
      editorId: "alice",
    }),
    fields: {
      bot_id: oneOf(["gov.useractivityledger", "gov.parameterchangeauditor"]),
      param_name: oneOf(["mode"]),
      value: {
        ...anyValue({ max: 4 * kilobyte }),
        good: { "one that the parameter may have": { value: stringValue("enforce") } },
      },
      editor_id: text({ max: 256, required: true }),
      ticket_ref: text({ max: 256 }),
    },
  },
  {
    method: placeLegalHold,
    role: "compliance",
    rest: (holdId) => ({ holdId, scope: { kind: 1, sessionId: "s" }, reason: "matter 7" }),
    fields: {
      hold_id: text({ max: 128, required: true }),
      // What is wrong inside it is told by its own path; that has tests of its own.
      scope: {
        bad: {
          absent: { value: undefined },
          "of no kind": { value: { sessionId: "s" } },
          "of everything": { value: { kind: 2 } },
        },
        good: { "of a session": { value: { kind: 1, sessionId: "s" } } },
        badJson: { "a word": '"all"', "a number": "7" },
      },
      reason: text({ max: 1000, required: true }),
    },
  },
  {
    method: listLegalHolds,
    role: "compliance",
    rest: () => ({}),
    fields: { page_size: pageSize, page_token: token, in_force: yesOrNo },
  },
  {
    method: listPurgeRuns,
    role: "compliance",
    rest: () => ({}),
    fields: { page_size: pageSize, page_token: token },
  },
];

function stringValue(value: string) {
  return { kind: { case: "stringValue", value } };
}

let service: TestService;
let client: ReturnType<typeof grpcClient>;
const tokens = new Map<Role, string>();
beforeAll(async () => {
  service = await startTestService();
  client = grpcClient(service.grpcPort);
  for (const role of ["bot", "compliance", "operator", "account", "break-glass"] as const)
    tokens.set(role, await service.token({ roles: [role] }));
  const auditor = service.client(ParameterChangeAuditorService, tokens.get("bot"));
  ({ decisionId } = await auditor.checkWrite({
    botSlug: "risk.guard",
    paramName: "limit",
    editorId: "alice",
  }));
  const oncall = await service.token({ roles: ["break-glass"], subject: "oncall" });
  ({ decisionId: breakGlassId } = await service.client(ParameterChangeAuditorService, oncall).checkWrite({
    botSlug: "risk.guard",
    paramName: "limit",
    editorId: "alice",
    breakGlassReason: "the venue is down",
  }));
});
afterAll(async () => {
  client.close();
  await service[Symbol.asyncDispose]();
});

let count = 0;
const nextId = () => `event-${++count}`;

function callWith(request: Request, field: DescField, value: Value) {
  const token = tokens.get(request.role) ?? "";
  return callGrpc(client, pathOf(request.method), {
    token,
    requests: [bytesWith(request.method.input, request.rest(nextId()), field, value)],
  });
}

/** The request as JSON with the field set to this text. */
async function postWith(request: Request, field: DescField, json: string) {
  const { input, methodKind } = request.method;
  const rest = request.rest(nextId());
  delete rest[field.localName];
  const good = toJsonString(input, create(input, rest), { useProtoFieldName: true });
  const body = `${good.slice(0, -1)}${good === "{}" ? "" : ","}"${field.name}":${json}}`;
  const isUnary = methodKind === "unary";
  const answer = await callHttp(service.httpPort, pathOf(request.method), {
    token: tokens.get(request.role),
    headers: { "content-type": isUnary ? "application/json" : "application/connect+json" },
    body: isUnary ? body : envelope(body),
  });
  return readJsonError(String(isUnary ? answer.body : unwrap(answer.body).at(-1)?.message));
}

async function stored(): Promise<{ actions: number; decisions: number }> {
  const [row] = await service.database.query<{ actions: number; decisions: number }>(
    "superuser",
    "select (select count(*)::int from ledger.user_action) + (select count(*)::int from ledger.fill_report) as actions, (select count(*)::int from auditor.parameter_change) as decisions",
  );
  return row ?? { actions: 0, decisions: 0 };
}

describe.each(requests.map((request) => ({ name: request.method.name, request })))("$name", ({ request }) => {
  const fields = request.method.input.fields;

  test("every field of the request has its rows here", () => {
    expect(Object.keys(request.fields).sort()).toEqual(fields.map((field) => field.name).sort());
  });

  test.each(fields)("$name refuses what breaks its bound, and nothing is stored", async (field) => {
    const rows = request.fields[field.name];
    const before = await stored();
    for (const [what, value] of Object.entries(rows?.bad ?? {})) {
      const answer = await callWith(request, field, value);
      expect(answer, what).toMatchObject({
        code: 3,
        reasons: ["INVALID_FIELD"],
        fields: [field.name],
        messages: [],
      });
      expectReason("INVALID_FIELD", answer.message);
    }
    for (const [what, json] of Object.entries(rows?.badJson ?? {})) {
      const answer = await postWith(request, field, json);
      expect(answer, what).toMatchObject({
        code: "invalid_argument",
        reasons: ["INVALID_FIELD"],
        fields: [field.name],
      });
    }
    expect(await stored()).toEqual(before);
  });

  test.each(fields)("$name takes what is just inside its bound", async (field) => {
    for (const [what, value] of Object.entries(request.fields[field.name]?.good ?? {})) {
      const answer = await callWith(request, field, value);
      expect({ ...answer, messages: answer.messages.length > 0 }, what).toMatchObject({
        code: 0,
        messages: true,
      });
    }
  });
});

test("a time range that ends before it begins is refused", async () => {
  for (const request of requests.filter(({ fields }) => "from_time" in fields)) {
    const { input } = request.method;
    const range = { fromTime: { seconds: 2n }, toTime: { seconds: 1n, nanos: 0 } };
    const answer = await callGrpc(client, pathOf(request.method), {
      token: tokens.get(request.role) ?? "",
      requests: [toBinary(input, create(input, range))],
    });
    expect(answer).toMatchObject({ code: 3, fields: ["to_time"] });
  }
});

test.each([
  ["params", recordUserAction, { params: { a: 1 }, paramsJson: '{"a":2}' }, "params_json"],
  [
    "old_value",
    checkWrite,
    { oldValue: { kind: { case: "numberValue", value: 1 } }, oldValueJson: "2" },
    "old_value_json",
  ],
  [
    "new_value",
    checkWrite,
    { newValue: { kind: { case: "nullValue", value: 0 } }, newValueJson: "{}" },
    "new_value_json",
  ],
])("%s sent twice with different values is refused", async (_, method, both, field) => {
  const request = requests.find((one) => one.method === method);
  if (request === undefined) throw new Error("no such request");
  const { input } = request.method;
  const bytes = toBinary(input, create(input, { ...request.rest(nextId()), ...both }));
  const answer = await callGrpc(client, pathOf(method), {
    token: tokens.get("bot") ?? "",
    requests: [bytes],
  });
  expect(answer).toMatchObject({ code: 3, fields: [field] });
});
