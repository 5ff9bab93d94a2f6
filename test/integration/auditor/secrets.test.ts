import { afterAll, beforeAll, expect, test } from "vitest";
import { FieldChangeKind } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs, postJson } from "../../support/callers.ts";
import { readExport } from "../../support/exportReader.ts";
import { logRecords } from "../../support/logRecords.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { tablesWith } from "../scrub/bytes.ts";
import { write } from "./writes.ts";

const config = `
gov.parameterchangeauditor: { mode: enforce }
tiers: { risk.killswitch.*: P0 }
stopping: ["risk.killswitch.arm_token=\\"stop-now-hunter2\\""]
secrets: ["*.rpc_url"]
`;

const log = logRecords("trace");
let service: TestService;
let configStore: AuditorClient;
let compliance: AuditorClient;
beforeAll(async () => {
  service = await startTestService({ config, log: log.log });
  configStore = await auditorAs(service, "config-store");
  compliance = await auditorAs(service, "compliance");
});
afterAll(() => service[Symbol.asyncDispose]());

const marker = /^"\*\*\*:[0-9a-f]{12}"$/;
const json = (value: unknown) =>
  JSON.stringify(value, (_, it) => (typeof it === "bigint" ? it.toString() : it));
const changedAt = { seconds: 1n, nanos: 0 };

test("a parameter of a usual name is masked whole, and that it changed stays visible", async () => {
  const { diff, report } = await configStore.checkWrite(
    write("exchange.api_key", { oldValueJson: '"old-7f3a"', newValueJson: '{"id":1,"k":"new-9c2b"}' }),
  );
  expect(report?.maskedPaths).toEqual(["/old_value", "/new_value"]);
  expect(report?.oldValueJson).toMatch(marker);
  expect(report?.newValueJson).toMatch(marker);
  expect(diff).toMatchObject([
    {
      path: "",
      kind: FieldChangeKind.CHANGED,
      oldJson: report?.oldValueJson,
      newJson: report?.newValueJson,
    },
  ]);
});

test("a parameter that the config file names is masked whole, whatever its name", async () => {
  const { report } = await configStore.checkWrite(
    write("RPC-Url", { newValueJson: '"https://node/secret-8d1e"' }),
  );
  expect(report).toMatchObject({ maskedPaths: ["/new_value"], newValueJson: expect.stringMatching(marker) });
});

test("of a value that has secrets the members of those names are masked, and no other", async () => {
  const { report, diff } = await configStore.checkWrite(
    write("venue", {
      oldValueJson: '{"url":"u","auth":[{"Private-Key":"pk-5e5e","n":1.10}],"pass_phrase":null}',
      newValueJson: '{"url":"u","auth":[{"Private-Key":"pk-6f6f","n":1.10}],"pass_phrase":null}',
    }),
  );
  expect(report?.maskedPaths).toEqual([
    "/old_value/auth/0/Private-Key",
    "/old_value/pass_phrase",
    "/new_value/auth/0/Private-Key",
    "/new_value/pass_phrase",
  ]);
  expect(report?.newValueJson).toMatch(
    /^\{"url":"u","auth":\[\{"Private-Key":"\*{3}:\w{12}","n":1\.10\}\],"pass_phrase":"\*{3}:\w{12}"\}$/,
  );
  expect(diff.map(({ path }) => path)).toEqual(["/auth/0/Private-Key"]);
});

test("equal secrets are equal, however they are spelt", async () => {
  const { diff } = await configStore.checkWrite(
    write("venue", { oldValueJson: '{"token":"A1"}', newValueJson: '{"token":"\\u0041\\u0031"}' }),
  );
  expect(diff).toEqual([]);
});

test("the address of an asset is no secret where a token is one", async () => {
  const address = `"0x${"aB".repeat(20)}"`;
  const { report } = await configStore.checkWrite(
    write("reserve", { newValueJson: `{"aToken":${address},"apiKey":${address}}` }),
  );
  expect(report?.maskedPaths).toEqual(["/new_value/apiKey"]);
});

test("a value that stops does so by what it is, not by its mask", async () => {
  const own = { botSlug: "risk.killswitch", newValueJson: '"stop-now-hunter2"' };
  expect(await configStore.checkWrite(write("arm_token", own))).toMatchObject({ allowed: true });
  const other = { ...own, newValueJson: '"another-hunter2"' };
  expect(await configStore.checkWrite(write("arm_token", other))).toMatchObject({ allowed: false });
});

test("a write_id stands for the secret itself: another one under it is a conflict", async () => {
  const first = write("db.password", { writeId: "w", newValueJson: '"one-3b3b"' });
  await configStore.checkWrite(first);
  expect(await configStore.checkWrite(first)).toMatchObject({ replayed: true });
  const refusal = await refusalOf(configStore.checkWrite({ ...first, newValueJson: '"two-4c4c"' }));
  expect(refusal.reason).toBe("WRITE_ID_CONFLICT");
});

test("what a bot runs with is masked alike: the same secret is no drift, another one is", async () => {
  const botSlug = "strategy.drift";
  await configStore.checkWrite(write("signer", { botSlug, newValueJson: '{"secret":"live-1a1a","n":1}' }));
  const compare = (valueJson: string) =>
    configStore.reconcileConfig({ botSlug, liveValues: [{ paramName: "signer", valueJson }] });
  expect((await compare('{"n":1.0,"secret":"live-1a1a"}')).drifts).toEqual([]);
  expect((await compare('{"n":1,"secret":"live-2b2b"}')).drifts).toMatchObject([
    { recordedJson: expect.stringContaining("***:"), liveJson: expect.stringContaining("***:") },
  ]);
});

test("what was recorded before it counted as a secret is no drift afterwards, and not told any more", async () => {
  await using before = await startTestService();
  const bot = await auditorAs(before, "config-store");
  await bot.checkWrite(write("rpc_url", { newValueJson: '"https://node/plain-0f0f"' }));
  await using after = await startTestService({
    config,
    database: before.database,
    env: { GOVERNANCE_SCRUB_KEY_FILE: `${before.dataDir}/scrub.key` },
  });
  const later = await auditorAs(after, "config-store");
  const compare = (valueJson: string) =>
    later.reconcileConfig({
      botSlug: "strategy.sports",
      liveValues: [{ paramName: "rpc_url", valueJson }],
    });
  expect((await compare('"https://node/plain-0f0f"')).drifts).toEqual([]);
  const { drifts } = await compare('"https://node/other-0f0f"');
  expect(drifts).toHaveLength(1);
  expect(json(drifts)).not.toContain("0f0f");
});

test("the secret's bytes are nowhere: not in a table, an answer, an error, the log, an export or a metric", async () => {
  const secret = "hunter2-never-again";
  const answers: unknown[] = [];
  const secretly = { oldValueJson: `{"credentials":{"${secret}":9007199254740993}}` };
  for (const more of [
    { newValueJson: `"${secret}"`, paramName: "wallet.passphrase" },
    { newValueJson: `[{"deep":{"api_secret":["${secret}",1]}}]`, paramName: "venue" },
    { ...secretly, writeId: "nowhere", paramName: "venue" },
    { ...secretly, writeId: "nowhere", paramName: "venue" },
    { newValueJson: `"${secret}"`, botSlug: "risk.killswitch", paramName: "rpc_url" },
    { newValueJson: `"${secret}"`, dryRun: true, paramName: "x_token" },
  ]) {
    answers.push(await configStore.checkWrite(write("p", more)));
  }
  answers.push(
    await configStore.recordUngatedWrite({
      ...write("my.password", { newValueJson: `{"a":"${secret}"}`, writeId: "u" }),
      changedAt,
      cause: "UNAVAILABLE",
    }),
    await configStore.reconcileConfig({
      botSlug: "strategy.sports",
      liveValues: [{ paramName: "venue", valueJson: `{"key":"${secret}"}` }],
    }),
    // A double that lost digits is listed by its path, which would tell a key inside a secret.
    await postJson(
      service,
      "config-store",
      "ParameterChangeAuditorService/CheckWrite",
      `{"bot_slug":"b","param_name":"p","editor_id":"e","new_value":{"credentials":{"${secret}":9007199254740993}}}`,
    ),
    await compliance.listParameterChanges({}),
    await compliance.getConfigAsOf({ botSlug: "strategy.sports" }),
    await readExport(compliance.exportParameterChanges({})),
  );
  for (const refused of [
    write("venue", { newValueJson: `{"credentials":{"${secret}":}}` }),
    write("venue", { newValueJson: `{"credentials":{"${secret}":1,"${secret}":2}}` }),
    write("rpc_url", { newValueJson: `{"${secret}":{"a":1,"a":2}}` }),
    write("venue", { newValueJson: "{}", writeId: "nowhere" }),
  ]) {
    answers.push(await refusalOf(configStore.checkWrite(refused)));
  }
  const metrics = await fetch(`http://127.0.0.1:${service.httpPort}/metrics`);
  expect(json(answers)).not.toContain(secret);
  expect(json(answers)).toContain("***:");
  expect(log.text()).not.toContain(secret);
  expect(log.text()).toContain("***:");
  expect(await metrics.text()).not.toContain(secret);
  expect(await tablesWith(service.database, secret)).toEqual([]);
  expect(await tablesWith(service.database, "***:")).not.toEqual([]);
});
