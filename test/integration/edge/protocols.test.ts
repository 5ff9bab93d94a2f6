import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AccessLogService } from "../../../gen/ts/polytraders/governance/v1/access_log_service_pb.ts";
import { BotConfigService } from "../../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { ParameterChangeAuditorService } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { ReportService } from "../../../gen/ts/polytraders/governance/v1/report_service_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import type { Role } from "../../../src/server/access.ts";
import { type Protocol, protocols, startTestService, type TestService } from "../../support/service.ts";
import { collected, type Outcome, outcomeOf } from "./refusals.ts";

const wallet = "0xdeadbeef00000000000000000000000000000001";

let service: TestService;
beforeAll(async () => {
  const config = "gov.parameterchangeauditor: { mode: enforce }\ntiers: { risk.killswitch.*: P0 }\n";
  service = await startTestService({ config });
});
afterAll(() => service[Symbol.asyncDispose]());

type Clients = {
  readonly ledger: Client<typeof UserActivityLedgerService>;
  readonly auditor: Client<typeof ParameterChangeAuditorService>;
  readonly reports: Client<typeof ReportService>;
  readonly config: Client<typeof BotConfigService>;
  readonly accessLog: Client<typeof AccessLogService>;
};

type Call = {
  readonly name: string;
  readonly role: Role | undefined;
  /** What was recorded before, by a bot. */
  readonly given?: (clients: Clients, own: string) => Promise<unknown>;
  /** `own` is a word of this call's and protocol's own, so that the calls do not meet in the database. */
  readonly call: (clients: Clients, own: string) => Promise<unknown>;
  /** What a refusal has to say; undefined when the call has to be answered. */
  readonly refused?: { readonly code: string; readonly reason: string; readonly field?: string };
};

function action(own: string, more: object = {}) {
  return {
    eventId: `${own}-event`,
    wallet,
    sessionId: `${own}-session`,
    actionType: "STRATEGY_START",
    params: { strategy: "sports-model", limits: [1, 2.5, null, true, { deep: "ü" }] },
    traceId: `${own}-trace`,
    occurredAt: { seconds: 1_778_322_602n, nanos: 120_000_001 },
    sessionSeq: 9_007_199_254_740_993n,
    ...more,
  };
}

function write(own: string, more: object = {}) {
  return {
    botSlug: `risk.${own}`,
    paramName: "max_position_pusd",
    oldValueJson: "5000",
    newValueJson: '{"limit":12345678901234567890.10}',
    editorId: "alice@polytraders",
    ticketRef: "CHG-4521",
    ...more,
  };
}

function parameter(paramName: string, value: JsonValue) {
  return {
    botId: "gov.useractivityledger",
    paramName,
    value: fromJson(ValueSchema, value),
    editorId: "alice@polytraders",
    ticketRef: "CHG-4522",
  };
}

const recorded: Call["given"] = ({ ledger }, own) => ledger.recordUserAction(action(own));
const checked: Call["given"] = ({ auditor }, own) => auditor.checkWrite(write(own));

const calls: readonly Call[] = [
  {
    name: "an action is recorded",
    role: "bot",
    call: ({ ledger }, own) => ledger.recordUserAction(action(own)),
  },
  {
    name: "the same action is a duplicate",
    role: "bot",
    given: recorded,
    call: ({ ledger }, own) => ledger.recordUserAction(action(own)),
  },
  {
    name: "another action under its id is a conflict",
    role: "bot",
    given: recorded,
    call: ({ ledger }, own) => ledger.recordUserAction(action(own, { actionType: "HALT" })),
    refused: { code: "AlreadyExists", reason: "EVENT_ID_CONFLICT" },
  },
  {
    name: "an action with a bad wallet is refused",
    role: "bot",
    call: ({ ledger }, own) => ledger.recordUserAction(action(own, { wallet: "0x12" })),
    refused: { code: "InvalidArgument", reason: "INVALID_FIELD", field: "wallet" },
  },
  {
    name: "actions are listed",
    role: "compliance",
    given: recorded,
    call: ({ ledger }, own) => ledger.listUserActions({ sessionId: `${own}-session` }),
  },
  {
    name: "a page of no size is refused",
    role: "compliance",
    call: ({ ledger }) => ledger.listUserActions({ pageSize: -1 }),
    refused: { code: "InvalidArgument", reason: "INVALID_FIELD", field: "page_size" },
  },
  {
    name: "actions are exported",
    role: "compliance",
    given: recorded,
    call: ({ ledger }, own) => collected(ledger.exportUserActions({ sessionId: `${own}-session` })),
  },
  {
    name: "an export that resumes from nowhere is refused",
    role: "compliance",
    call: ({ ledger }) => collected(ledger.exportUserActions({ resumeToken: "nowhere" })),
    refused: { code: "InvalidArgument", reason: "INVALID_FIELD", field: "resume_token" },
  },
  {
    name: "a session is told",
    role: "compliance",
    given: ({ ledger }, own) => ledger.recordUserAction(action(own)),
    call: ({ ledger }, own) => ledger.listSessionActivity({ sessionId: `${own}-session` }),
  },
  {
    name: "a session without a name is refused",
    role: "compliance",
    call: ({ ledger }) => ledger.listSessionActivity({}),
    refused: { code: "InvalidArgument", reason: "INVALID_FIELD", field: "session_id" },
  },
  {
    name: "gaps are listed for an operator",
    role: "operator",
    given: ({ ledger }, own) => ledger.recordUserAction(action(own)),
    call: ({ ledger }, own) => ledger.listSessionGaps({ sessionId: `${own}-session` }),
  },
  {
    name: "refused events are listed",
    role: "compliance",
    given: async ({ ledger }, own) => {
      await ledger.recordUserAction(action(own));
      await outcomeOf(() => ledger.recordUserAction(action(own, { actionType: "HALT" })));
    },
    call: ({ ledger }, own) => ledger.listEventConflicts({ eventId: `${own}-event` }),
  },
  {
    name: "the access log is listed",
    role: "compliance",
    call: ({ accessLog }) =>
      accessLog.listAccessLog({ method: "UserActivityLedgerService/ListEventConflicts", pageSize: 1 }),
  },
  {
    name: "the access log is exported",
    role: "compliance",
    call: ({ accessLog }, own) => collected(accessLog.exportAccessLog({ subject: own })),
  },
  {
    name: "the access log of a method that is never in it is refused",
    role: "compliance",
    call: ({ accessLog }) => collected(accessLog.exportAccessLog({ method: "RecordUserAction" })),
    refused: { code: "InvalidArgument", reason: "INVALID_FIELD", field: "method" },
  },
  {
    name: "a write with its ticket is allowed",
    role: "config-store",
    call: ({ auditor }, own) => auditor.checkWrite(write(own)),
  },
  {
    name: "a write to a P0 parameter without a ticket is rejected",
    role: "config-store",
    call: ({ auditor }, own) =>
      auditor.checkWrite({ ...write(own), botSlug: "risk.killswitch", paramName: own, ticketRef: undefined }),
  },
  {
    name: "a write without an editor is refused",
    role: "config-store",
    call: ({ auditor }, own) => auditor.checkWrite(write(own, { editorId: "" })),
    refused: { code: "InvalidArgument", reason: "INVALID_FIELD", field: "editor_id" },
  },
  {
    name: "changes are listed",
    role: "operator",
    given: checked,
    call: ({ auditor }, own) => auditor.listParameterChanges({ botSlug: `risk.${own}` }),
  },
  {
    name: "changes are exported",
    role: "compliance",
    given: checked,
    call: ({ auditor }, own) => collected(auditor.exportParameterChanges({ botSlug: `risk.${own}` })),
  },
  {
    name: "a bot's configuration is told",
    role: "user",
    call: ({ config }) => config.getBotConfig({ botId: "gov.parameterchangeauditor" }),
  },
  {
    name: "the configuration of an unknown bot is refused",
    role: "user",
    call: ({ config }) => config.getBotConfig({ botId: "gov.other" }),
    refused: { code: "InvalidArgument", reason: "INVALID_FIELD", field: "bot_id" },
  },
  {
    name: "a parameter of the service is changed",
    role: "operator",
    call: ({ config }) => config.updateBotConfig(parameter("publish_to_user", true)),
  },
  {
    name: "a parameter of the service below its floor is refused",
    role: "operator",
    call: ({ config }) => config.updateBotConfig(parameter("retain_days", 30)),
    refused: { code: "InvalidArgument", reason: "RETENTION_BELOW_REGULATORY_MINIMUM", field: "value" },
  },
  {
    name: "reports are streamed",
    role: "compliance",
    given: ({ ledger }, own) => ledger.recordUserAction(action(own)),
    call: ({ reports }) => firstOf(reports.streamReports({})),
  },
  {
    name: "reports of a topic that does not exist are refused",
    role: "operator",
    call: ({ reports }) => collected(reports.streamReports({ topic: "polytraders.reports.other" })),
    refused: { code: "InvalidArgument", reason: "INVALID_FIELD", field: "topic" },
  },
  {
    name: "a unary call without a token is not authenticated",
    role: undefined,
    call: ({ ledger }, own) => ledger.recordUserAction(action(own)),
    refused: { code: "Unauthenticated", reason: "TOKEN_INVALID" },
  },
  {
    name: "a stream without a token is not authenticated",
    role: undefined,
    call: ({ ledger }) => collected(ledger.exportUserActions({})),
    refused: { code: "Unauthenticated", reason: "TOKEN_INVALID" },
  },
  {
    name: "a unary call of another role is forbidden",
    role: "user",
    call: ({ ledger }, own) => ledger.recordUserAction(action(own)),
    refused: { code: "PermissionDenied", reason: "ROLE_NOT_ALLOWED" },
  },
  {
    name: "a stream of another role is forbidden",
    role: "bot",
    call: ({ auditor }) => collected(auditor.exportParameterChanges({})),
    refused: { code: "PermissionDenied", reason: "ROLE_NOT_ALLOWED" },
  },
];

/** The first message of a stream that goes on. */
async function firstOf<T>(messages: AsyncIterable<T>): Promise<T | undefined> {
  for await (const message of messages) return message;
  return undefined;
}

async function clientsOf(protocol: Protocol, role: Role | undefined): Promise<Clients> {
  const token = role === undefined ? undefined : await service.token({ roles: [role], wallet });
  return {
    ledger: service.client(UserActivityLedgerService, token, protocol),
    auditor: service.client(ParameterChangeAuditorService, token, protocol),
    reports: service.client(ReportService, token, protocol),
    config: service.client(BotConfigService, token, protocol),
    accessLog: service.client(AccessLogService, token, protocol),
  };
}

/** A word of a call's own: the initials of its name and its length. */
function wordOf(name: string): string {
  return `${name.replaceAll(/(\w)\w*\W*/g, "$1").toLowerCase()}${name.length}`;
}

/** The outcome without what differs from call to call: ids, times, positions, tokens and hashes. */
function comparable(outcome: Outcome, own: string): string {
  const varying = new Set([
    // Both 0 until the record has its place in the log.
    "epoch",
    "position",
    "throughPosition",
    "resumeToken",
    "nextPageToken",
    "sha256",
    "chainSha256",
  ]);
  const isTime = (value: object) => "$typeName" in value && value.$typeName === "google.protobuf.Timestamp";
  const text = JSON.stringify(
    outcome,
    function (this: Readonly<Record<string, unknown>>, name, value: unknown) {
      if (varying.has(name)) return `(${name})`;
      if (typeof value === "bigint") return `${value}n`;
      const bytes = this[name]; // A Buffer has a toJSON, which comes before this.
      if (bytes instanceof Uint8Array) return Buffer.from(bytes).toString().split("\n");
      if (typeof value === "object" && value !== null && isTime(value) && name !== "occurredAt")
        return "(time)";
      return value;
    },
  );
  return text
    .replaceAll(own, "(own)")
    .replace(/\b[a-z_]*[0-9A-HJKMNP-TV-Z]{26}\b/g, "(ulid)")
    .replace(/(recorded|changed)_at\\":\\"[^\\]+/g, "$1_at (time)")
    .replace(/\\"position\\":\d+/g, "(position)");
}

describe("over gRPC, Connect, gRPC-Web and JSON alike", () => {
  test.each(calls)("$name", async ({ name, role, given, call, refused }) => {
    const seen = new Map<Protocol, string>();
    for (const protocol of protocols) {
      const own = `over${protocol.replace("-", "")}${wordOf(name)}`;
      await given?.(await clientsOf(protocol, "bot"), own);
      const clients = await clientsOf(protocol, role);
      const outcome = await outcomeOf(() => call(clients, own));
      if (refused === undefined) expect(outcome, `${name} over ${protocol}`).toHaveProperty("answer");
      else expect(outcome).toMatchObject({ refusal: { field: undefined, ...refused } });
      seen.set(protocol, comparable(outcome, own));
    }
    for (const protocol of protocols) expect(seen.get(protocol), protocol).toBe(seen.get("grpc"));
  });
});

test("a stream in both directions is served over gRPC", async () => {
  const { ledger } = await clientsOf("grpc", "bot");
  const answers = await collected(ledger.streamUserActions(oneBatch("over-a-stream")));
  expect(answers.map((answer) => answer.message.case)).toEqual(["opened", "ack"]);
  expect(answers[1]?.message.value).toMatchObject({ lastOffset: 1n, results: [] });
});

test.each(protocols.filter((protocol) => protocol !== "grpc"))(
  "a stream in both directions is sent to the gRPC listener by %s",
  async (protocol) => {
    const { ledger } = await clientsOf(protocol, "bot");
    const outcome = await outcomeOf(() => collected(ledger.streamUserActions(oneBatch("elsewhere"))));
    expect(outcome).toMatchObject({ refusal: { code: "Unimplemented", reason: "GRPC_ONLY" } });
  },
);

async function* oneBatch(own: string) {
  yield { message: { case: "open" as const, value: { streamId: own } } };
  yield { message: { case: "batch" as const, value: { firstOffset: 1n, actions: [action(own)] } } };
}
