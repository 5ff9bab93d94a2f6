import type { Client } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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
};

type Call = {
  readonly name: string;
  readonly role: Role | undefined;
  /** `own` is a word of this protocol's own, so that the calls do not meet in the database. */
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

/** In this order: later calls read what earlier ones recorded. */
const calls: readonly Call[] = [
  {
    name: "an action is recorded",
    role: "bot",
    call: ({ ledger }, own) => ledger.recordUserAction(action(own)),
  },
  {
    name: "the same action is a duplicate",
    role: "bot",
    call: ({ ledger }, own) => ledger.recordUserAction(action(own)),
  },
  {
    name: "another action under its id is a conflict",
    role: "bot",
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
    call: ({ ledger }, own) => collected(ledger.exportUserActions({ sessionId: `${own}-session` })),
  },
  {
    name: "an export that resumes from nowhere is refused",
    role: "compliance",
    call: ({ ledger }) => collected(ledger.exportUserActions({ resumeToken: "nowhere" })),
    refused: { code: "InvalidArgument", reason: "INVALID_FIELD", field: "resume_token" },
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
    call: ({ auditor }, own) => auditor.listParameterChanges({ botSlug: `risk.${own}` }),
  },
  {
    name: "changes are exported",
    role: "compliance",
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
    name: "a unary call of a later version is not served",
    role: "operator",
    call: ({ config }) => config.updateBotConfig({ botId: "gov.useractivityledger" }),
    refused: { code: "Unimplemented", reason: "NOT_SERVED" },
  },
  {
    name: "a stream of a later version is not served",
    role: "compliance",
    call: ({ reports }) => collected(reports.streamReports({})),
    refused: { code: "Unimplemented", reason: "NOT_SERVED" },
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

async function clientsOf(protocol: Protocol, role: Role | undefined): Promise<Clients> {
  const token = role === undefined ? undefined : await service.token({ roles: [role], wallet });
  return {
    ledger: service.client(UserActivityLedgerService, token, protocol),
    auditor: service.client(ParameterChangeAuditorService, token, protocol),
    reports: service.client(ReportService, token, protocol),
    config: service.client(BotConfigService, token, protocol),
  };
}

/** The outcome without what differs from call to call: ids, times, positions, tokens and hashes. */
function comparable(outcome: Outcome, own: string): string {
  const varying = new Set([
    "position",
    "throughPosition",
    "resumeToken",
    "nextPageToken",
    "sha256",
    "chainSha256",
  ]);
  const isTime = (value: object) => "$typeName" in value && value.$typeName === "google.protobuf.Timestamp";
  const text = JSON.stringify(outcome, (name, value: unknown) => {
    if (varying.has(name)) return `(${name})`;
    if (typeof value === "bigint") return `${value}n`;
    if (value instanceof Uint8Array) return Buffer.from(value).toString().split("\n");
    if (typeof value === "object" && value !== null && isTime(value) && name !== "occurredAt")
      return "(time)";
    return value;
  });
  return text
    .replaceAll(own, "(own)")
    .replace(/\b[a-z_]*[0-9A-HJKMNP-TV-Z]{26}\b/g, "(ulid)")
    .replace(/(recorded|changed)_at\\":\\"[^\\]+/g, "$1_at (time)")
    .replace(/\\"position\\":\d+/g, "(position)");
}

describe("over gRPC, Connect, gRPC-Web and JSON alike", () => {
  test.each(calls)("$name", async ({ name, role, call, refused }) => {
    const seen = new Map<Protocol, string>();
    for (const protocol of protocols) {
      const own = `over${protocol.replace("-", "")}`;
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
