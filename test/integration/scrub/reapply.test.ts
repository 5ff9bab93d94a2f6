import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ledgerAs } from "../../support/callers.ts";
import { runCli } from "../../support/cli.ts";
import { createTestDatabase } from "../../support/database.ts";
import type { TestService } from "../../support/service.ts";
import { action } from "../ledger/actions.ts";
import { tablesWith } from "./bytes.ts";
import { recordEverywhere } from "./everywhere.ts";
import { close, closedWallet, digits, scrubbingService, startScrubbing } from "./scrubbing.ts";

/** Closed after the backup; nothing of it was on record then. */
const newWallet = `0x${"7".repeat(40)}`;

const running = new AsyncDisposableStack();
let before: TestService;
let restored: TestService;
let identities: readonly string[];
let key: string;
let notes: string;
beforeAll(async () => {
  before = await scrubbingService(running);
  const bot = await ledgerAs(before, "bot");
  await bot.recordUserAction(action("own", { wallet: closedWallet }));
  await bot.recordUserAction(action("new", { wallet: newWallet }));
  const account = await ledgerAs(before, "account");
  identities = [
    (await close(account)).scrubbedIdentity,
    (await close(account, newWallet, "close new")).scrubbedIdentity,
  ];
  key = join(before.dataDir, "scrub.key");
  notes = join(before.dataDir, "scrubs.jsonl");
  // As a backup of before the closings has it.
  const database = running.use(await createTestDatabase());
  restored = running.use(await startScrubbing({ database, env: { GOVERNANCE_SCRUB_KEY_FILE: key } }));
  await recordEverywhere(restored);
});
afterAll(() => running.disposeAsync());

function reapply(...args: string[]) {
  const { database, dataDir } = restored;
  const env = {
    DATABASE_URL: database.url("service"),
    DATABASE_ADMIN_URL: database.url("admin"),
    GOVERNANCE_DATA_DIR: dataDir,
    GOVERNANCE_SCRUB_KEY_FILE: key,
  };
  return runCli(["scrub", "reapply", ...args], { env });
}

test("each scrub is noted in the replica's data folder, without the wallet", async () => {
  const text = await readFile(notes, "utf8");
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.map(({ identity }) => identity)).toEqual(identities);
  expect(lines[0]).toMatchObject({
    receipt_id: expect.stringMatching(/^era_/),
    scrubbed_at: expect.any(String),
  });
  expect(text.toLowerCase()).not.toContain(digits);
});

test("notes of another key are refused, and name the setting", async () => {
  const file = join(restored.dataDir, "other.jsonl");
  await writeFile(file, `{"identity":"scrubbed:${"0".repeat(16)}:${"1".repeat(64)}"}\n`);
  const run = await reapply(file);
  expect(run).toMatchObject({ exitCode: 1, stdout: "" });
  expect(run.stderr).toMatch(/^governance: GOVERNANCE_SCRUB_KEY_FILE: [^\n]*another key[^\n]*\n$/);
});

test("applied again to a restored database they leave no wallet in it, whichever way it is named", async () => {
  expect(await tablesWith(restored.database, digits)).not.toEqual([]);
  const run = await reapply(notes);
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  expect(run.stdout).toMatch(
    /^2 accounts: 1 scrubbed \(\d+ records\), 0 before, 1 not on record, 0 under a legal hold\n$/,
  );
  expect(await tablesWith(restored.database, digits)).toEqual([]);
  const compliance = await ledgerAs(restored, "compliance");
  const { actions } = await compliance.listUserActions({ wallet: identities[0] ?? "", pageSize: 200 });
  expect(actions.map(({ report }) => report?.eventId)).toContain("checksummed");
});

test("what arrives later of an account of which nothing was on record is hashed on its way in", async () => {
  const bot = await ledgerAs(restored, "bot");
  await bot.recordUserAction(action("late", { wallet: newWallet }));
  const compliance = await ledgerAs(restored, "compliance");
  const { actions } = await compliance.listUserActions({ wallet: identities[1] ?? "" });
  expect(actions.map(({ report }) => report?.eventId)).toEqual(["late"]);
  expect(await tablesWith(restored.database, newWallet.slice(2))).toEqual([]);
  expect(JSON.parse((await reapply("--json", notes)).stdout)).toEqual({
    scrubbed: 0,
    records: 0,
    held: 0,
    absent: 1,
    before: 1,
  });
});
