import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ledgerAs } from "../support/callers.ts";
import { envOf, runCli } from "../support/cli.ts";
import { readExport } from "../support/exportReader.ts";
import { type FileExport, fileExport } from "../support/fileExport.ts";
import { startRelay } from "../support/relay.ts";
import { startTestService, type TestService } from "../support/service.ts";

const launcher = fileURLToPath(new URL("../../bin/governance.js", import.meta.url));

/** bin/governance.js on a Node too old for it: the machine's own, or this one made to look like one. */
const onOldNode = [...oldNode(), launcher];

function oldNode(): string[] {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const node = join(folder, "node");
    if (folder.includes("node_modules") || !existsSync(node)) continue;
    const major = Number(/^v(\d+)/.exec(spawnSync(node, ["--version"], { encoding: "utf8" }).stdout)?.[1]);
    if (major >= 18 && major < 22) return [node];
  }
  const pretend = 'Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.0.0"}})';
  return [process.execPath, "--import", `data:text/javascript,${encodeURIComponent(pretend)}`];
}

let service: TestService;
let uncut: Buffer;
beforeAll(async () => {
  service = await startTestService();
  const bot = await ledgerAs(service, "bot");
  const paramsJson = JSON.stringify({ filler: "x".repeat(60_000) });
  for (let i = 0; i < 20; i++) {
    const who = { wallet: "0xdeadbeef00000000000000000000000000000001", sessionId: "s", actionType: "HALT" };
    await bot.recordUserAction({ eventId: `launcher${i}`, ...who, paramsJson });
  }
  uncut = (await readExport((await ledgerAs(service, "compliance")).exportUserActions({}))).bytes;
});
afterAll(() => service[Symbol.asyncDispose]());

test("on an old Node the command runs on the Node that comes with the package", async () => {
  const run = await runCli(["version", "--json"], { program: onOldNode });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  expect(Number(JSON.parse(run.stdout).node.split(".")[0])).toBeGreaterThanOrEqual(22);
});

test("on an old Node stdin, stdout, stderr and the exit code are the command's own", async () => {
  const action = { event_id: "x", wallet: "0x1", session_id: "s", action_type: "HALT" };
  const refused = await runCli(["record", "--json", "-"], {
    program: onOldNode,
    stdin: JSON.stringify(action),
    env: envOf(service),
  });
  expect(refused).toMatchObject({
    exitCode: 5,
    stdout: "",
    stderr: expect.stringContaining("INVALID_FIELD: wallet"),
  });
  const list = await runCli(["list", "--json", "--limit", "all"], {
    program: onOldNode,
    env: envOf(service),
  });
  expect(list).toMatchObject({ exitCode: 0, stderr: "" });
  expect(list.stdout.trimEnd().split("\n")).toHaveLength(20);
});

function launched(): FileExport {
  return fileExport(service, uncut, [], { program: onOldNode, group: true });
}

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)("on an old Node %s reaches the command, which ends as it means to", async (signal, exitCode) => {
  await using relay = await startRelay(service.grpcPort, 700_000, "hold");
  const to = launched();
  const { child, done } = await to.stuckBehind(relay);
  child.kill(signal);
  expect(await done).toMatchObject({ exitCode, stderr: expect.stringContaining("run again with --resume") });
  await to.expectWhole(await to.resume());
});

test("on an old Node a launcher that is killed takes the command with it", async () => {
  await using relay = await startRelay(service.grpcPort, 700_000, "hold");
  const to = launched();
  const { child } = await to.stuckBehind(relay);
  child.kill("SIGKILL");
  await relay.clientGone; // Only the command itself had that connection.
  await to.expectWhole(await to.resume());
});

test("Ctrl-C at a terminal, which the launcher and the command both get, stops the command once", async () => {
  await using relay = await startRelay(service.grpcPort, 700_000, "hold");
  const { child, done } = await launched().stuckBehind(relay);
  process.kill(-(child.pid ?? 0), "SIGINT");
  const run = await done;
  expect(run).toMatchObject({ exitCode: 130, stderr: expect.stringContaining("run again with --resume") });
});
