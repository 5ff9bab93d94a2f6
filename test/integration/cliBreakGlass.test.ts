import { afterAll, beforeAll, expect, test } from "vitest";
import { auditorAs } from "../support/callers.ts";
import { envOf, runCli } from "../support/cli.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { recordedWrite } from "./auditor/patiently.ts";
import { enforce, write } from "./auditor/writes.ts";

const breakGlassReason = "the venue is down";
const comment = "agreed with the desk; PTRD-1050";

let service: TestService;
beforeAll(async () => {
  service = await startTestService({ config: enforce });
});
afterAll(() => service[Symbol.asyncDispose]());

const governance = (...args: string[]) => runCli(["break-glass", ...args], { env: envOf(service) });

/** Breaks the glass for a P0 parameter and answers the decision's id. */
async function used(paramName: string, subject = "oncall"): Promise<string> {
  const oncall = await auditorAs(service, "break-glass", { subject });
  const own = write(paramName, { botSlug: "risk.killswitch", newValueJson: "false", breakGlassReason });
  return (await recordedWrite(oncall, { ...own, writeId: paramName })).decisionId;
}

test("without any use the list says so", async () => {
  expect(await governance("list")).toMatchObject({
    exitCode: 0,
    stdout: "",
    stderr: "governance: no open uses of break-glass found\n",
  });
});

test("a use is listed with its reason until it is reviewed, and then with its review", async () => {
  const decisionId = await used("armed");
  const open = await governance("list");
  expect(open).toMatchObject({ exitCode: 0, stderr: "" });
  expect(open.stdout).toMatch(
    new RegExp(
      `${decisionId} .+ risk.killswitch +armed +P0 +oncall +alice@polytraders +${breakGlassReason}\n`,
    ),
  );

  const reviewed = await governance("review", decisionId, "--comment", comment);
  expect(reviewed).toMatchObject({ exitCode: 0, stderr: "" });
  expect(reviewed.stdout).toMatch(new RegExp(`^${decisionId} {2}reviewed \\S+Z by developer: ${comment}\n$`));
  expect((await governance("list")).stdout).not.toContain(decisionId);
  const all = await governance("list", "--reviewed-too", "--json");
  expect(JSON.parse(all.stdout)).toMatchObject({
    change: { break_glass_reason: breakGlassReason, report: { decision_id: decisionId } },
    review: { reviewed_by: "developer", comment },
  });
  expect((await governance("list", "--reviewed-too")).stdout).toMatch(`developer    ${comment}`);
});

test("a second review is told the first, which stands", async () => {
  const decisionId = await used("twice");
  await governance("review", decisionId, "--comment", comment, "--json");
  const second = await governance("review", decisionId, "--comment", "not so", "--json");
  expect(second).toMatchObject({
    exitCode: 0,
    stderr: "governance: it was reviewed before, and the first review stands\n",
  });
  expect(JSON.parse(second.stdout)).toMatchObject({ review: { comment } });
});

test("one's own use, and a decision that is none, are refused in one line", async () => {
  const own = await governance("review", await used("own", "developer"), "--comment", comment);
  expect(own).toMatchObject({ exitCode: 5, stdout: "" });
  expect(own.stderr).toMatch(/^governance: .*somebody else has to review it.*\n$/);
  const none = await governance("review", "0".repeat(26), "--comment", comment);
  expect(none).toMatchObject({ exitCode: 5, stdout: "" });
  expect(none.stderr).toMatch(/^governance: .*is no use of break-glass on record.*\n$/);
});

test.each([
  [["review", "x"], "required option '--comment <text>' not specified"],
  [["list", "--limit", "0"], "option '--limit <n>' argument '0' is invalid"],
])("governance break-glass %j is refused before anything is called", async (args, message) => {
  const run = await governance(...args);
  expect(run.exitCode).toBe(2);
  expect(run.stderr).toContain(message);
});
