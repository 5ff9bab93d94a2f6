import { afterAll, beforeAll, expect, test } from "vitest";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { collect } from "../../support/exportReader.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { action, otherWallet, wallet, walletLowerCase } from "./actions.ts";

let service: TestService;
let bot: LedgerClient;
let user: LedgerClient;
beforeAll(async () => {
  service = await startTestService();
  bot = await ledgerAs(service, "bot");
  user = await ledgerAs(service, "user", { subject: "a user", wallet });
  const kinds = ["STRATEGY_START", "HALT", "KILL_SWITCH", "TRANSFER_TO_COLD_STORAGE"];
  for (const [i, actionType] of kinds.entries()) {
    const params = { secret: "of the user's strategy" };
    await bot.recordUserAction(action(`own_${i}`, { actionType, params, traceId: "trc" }));
    await bot.recordUserAction(action(`other_${i}`, { actionType, wallet: otherWallet }));
  }
});
afterAll(() => service[Symbol.asyncDispose]());

const sentences = [
  "You took an action: transfer to cold storage.",
  "You used the kill switch.",
  "You halted trading.",
  "You started a strategy.",
];

test.each([
  ["without naming it", {}],
  ["naming it", { wallet }],
  ["naming it in another case", { wallet: walletLowerCase }],
])("users read summaries of their own wallet, %s", async (_, filters) => {
  const { actions } = await user.listUserActions(filters);
  expect(actions.map((entry) => entry.summary)).toEqual(sentences);
});

test("a summary is a time, a kind and a sentence, and nothing else", async () => {
  const { actions } = await user.listUserActions({});
  for (const entry of actions) {
    expect(entry.report).toBeUndefined();
    expect(entry.recordedAt?.seconds).toBeGreaterThan(0n);
    expect(
      JSON.stringify(entry, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
    ).not.toMatch(/secret|trc|own_|sess_/);
  }
});

test("the wallet of a token compares in any case", async () => {
  const other = await ledgerAs(service, "user", {
    wallet: walletLowerCase.replace(/[a-f]/g, (c) => c.toUpperCase()),
  });
  expect((await other.listUserActions({})).actions).toHaveLength(4);
});

test("a wallet is one wallet however its recorders spell it", async () => {
  const spellings = {
    checksummed: "0xAbCdEf0000000000000000000000000000000009",
    lower: "0xabcdef0000000000000000000000000000000009",
    upper: "0xABCDEF0000000000000000000000000000000009",
  };
  for (const [name, spelt] of Object.entries(spellings)) {
    await bot.recordUserAction(action(`spelt_${name}`, { wallet: spelt }));
  }
  for (const claimed of Object.values(spellings)) {
    const owner = await ledgerAs(service, "user", { subject: "an owner", wallet: claimed });
    expect((await owner.listUserActions({})).actions).toHaveLength(3);
  }
});

test("no other filter of a user reaches beyond their own wallet", async () => {
  await bot.recordUserAction(
    action("theirs", { wallet: otherWallet, sessionId: "theirs", traceId: "theirs", actionType: "OVERRIDE" }),
  );
  for (const filters of [
    { sessionId: "theirs" },
    { traceId: "theirs" },
    { actionType: "OVERRIDE" },
    { wallet, sessionId: "theirs" },
  ]) {
    expect((await user.listUserActions(filters)).actions).toEqual([]);
  }
  expect((await user.listUserActions({ actionType: "HALT" })).actions).toHaveLength(1);
});

test("who is a user and works in compliance reads all", async () => {
  const token = await service.token({ roles: ["user", "compliance"], wallet });
  const both = service.client(UserActivityLedgerService, token);
  const { actions } = await both.listUserActions({ wallet: otherWallet, actionType: "HALT" });
  expect(actions.map((entry) => entry.report?.eventId)).toEqual(["other_1"]);
});

test("every known kind of action has a sentence of its own", async () => {
  const reader = await ledgerAs(service, "user", { wallet: `0x${"7".repeat(40)}` });
  const kinds = {
    STRATEGY_START: "You started a strategy.",
    STRATEGY_STOP: "You stopped a strategy.",
    PARAMETER_CHANGE: "You changed a setting of a strategy.",
    HALT: "You halted trading.",
    OVERRIDE: "You overrode an automatic decision.",
    KILL_SWITCH: "You used the kill switch.",
    ACCOUNT_CLOSE: "You closed your account.",
  };
  for (const [actionType, summary] of Object.entries(kinds)) {
    await bot.recordUserAction(action(`kind_${actionType}`, { wallet: `0x${"7".repeat(40)}`, actionType }));
    const { actions } = await reader.listUserActions({ pageSize: 1 });
    expect(actions[0]).toMatchObject({ actionType, summary });
  }
});

test("users' pages go on as everybody's do", async () => {
  const first = await user.listUserActions({ pageSize: 3 });
  const second = await user.listUserActions({ pageSize: 3, pageToken: first.nextPageToken });
  expect([...first.actions, ...second.actions].map((entry) => entry.summary)).toEqual(sentences);
});

test("users cannot read another wallet, nor go on with another user's page token", async () => {
  const refused = { code: "PermissionDenied", reason: "WALLET_NOT_ALLOWED" };
  expect(await refusalOf(user.listUserActions({ wallet: otherWallet }))).toMatchObject(refused);

  const { nextPageToken: pageToken } = await user.listUserActions({ pageSize: 1 });
  const other = await ledgerAs(service, "user", { subject: "another user", wallet: otherWallet });
  expect(await refusalOf(other.listUserActions({ pageToken }))).toMatchObject({ field: "page_token" });
  expect(await refusalOf(other.listUserActions({ pageToken, wallet }))).toMatchObject(refused);
});

test.each([undefined, "", "0x12", `${wallet}0`])(
  "a user's token with the wallet %j reads nothing",
  async (claimed) => {
    const nobody = await ledgerAs(service, "user", claimed === undefined ? {} : { wallet: claimed });
    for (const filters of [{}, { wallet }]) {
      const refusal = await refusalOf(nobody.listUserActions(filters));
      expect(refusal).toMatchObject({ code: "PermissionDenied", reason: "WALLET_NOT_ALLOWED" });
    }
  },
);

test("users cannot export, not even their own wallet", async () => {
  const refusal = await refusalOf(collect(user.exportUserActions({ wallet })));
  expect(refusal).toMatchObject({ code: "PermissionDenied", reason: "ROLE_NOT_ALLOWED" });
});

test("with publish_to_user off users read nothing, and compliance still reads all (R12)", async () => {
  const config = "gov.useractivityledger: { publish_to_user: false }";
  await using unpublished = await startTestService({ config });
  const unpublishedBot = await ledgerAs(unpublished, "bot");
  await unpublishedBot.recordUserAction(action("unpublished"));
  const reader = await ledgerAs(unpublished, "user", { wallet });
  for (const filters of [{}, { wallet }]) {
    const refusal = await refusalOf(reader.listUserActions(filters));
    expect(refusal).toMatchObject({ code: "PermissionDenied", reason: "NOT_PUBLISHED" });
  }
  const compliance = await ledgerAs(unpublished, "compliance");
  expect((await compliance.listUserActions({})).actions).toHaveLength(1);
});
