import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Limits } from "../../../src/config.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { expectChainOver, type ReceivedExport, readExport } from "../../support/exportReader.ts";
import { databaseOf, startOwnPostgres } from "../../support/ownPostgres.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { action } from "./actions.ts";

let running: AsyncDisposableStack;
let folder: string;
beforeEach(async () => {
  running = new AsyncDisposableStack();
  folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-export-"))).path;
});
afterEach(() => running.disposeAsync());

/** A replica with the key that all of one database's have. */
function start(database: TestDatabase, limits: Partial<Limits> = {}): Promise<TestService> {
  return startTestService({
    database,
    limits,
    env: { GOVERNANCE_SCRUB_KEY_FILE: join(folder, "scrub.key") },
  });
}

/** More than an export reads ahead, and what is sent without anybody reading: 24 MB. */
async function recordMuch(service: TestService): Promise<void> {
  const bot = await ledgerAs(service, "bot");
  const params = { filler: "x".repeat(60_000) };
  for (let batch = 0; batch < 20; batch++) {
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => bot.recordUserAction(action(`e_${batch}_${i}`, { params }))),
    );
  }
}

type Cut = { readonly bytes: Buffer; readonly resumeToken: string };

/** An export whose first chunk is read; `rest` reads on to whatever its end is. */
async function begin(compliance: LedgerClient) {
  const parts = compliance.exportUserActions({})[Symbol.asyncIterator]();
  const first = await parts.next();
  if (first.done) throw new Error("the export ended before its first chunk");
  let cut: Cut = { bytes: Buffer.from(first.value.jsonl), resumeToken: first.value.resumeToken };
  return {
    async rest(): Promise<void> {
      for (let next = await parts.next(); !next.done; next = await parts.next()) {
        if (next.value.trailer !== undefined) throw new Error("it came to its trailer");
        cut = {
          bytes: Buffer.concat([cut.bytes, next.value.jsonl]),
          resumeToken: next.value.resumeToken,
        };
      }
    },
    cut: () => cut,
  };
}

async function expectSameAsUncut(compliance: LedgerClient, cut: Cut): Promise<void> {
  const rest = await readExport(compliance.exportUserActions({ resumeToken: cut.resumeToken }));
  const uncut: ReceivedExport = await readExport(compliance.exportUserActions({}));
  expect(Buffer.concat([cut.bytes, rest.bytes]).equals(uncut.bytes)).toBe(true);
  expectChainOver(uncut.lines, rest.trailer);
}

test("an export that its service's stop cut goes on with the next service", async () => {
  const database = running.use(await createTestDatabase());
  const stopped = await start(database, { shutdownCallsMs: 200 });
  await recordMuch(stopped);
  const reading = await begin(await ledgerAs(stopped, "compliance"));
  // Nobody reads while it stops, so it cannot bring the export to its end.
  await stopped[Symbol.asyncDispose]();
  await expect(reading.rest()).rejects.toBeInstanceOf(ConnectError);
  const next = running.use(await start(database));
  await expectSameAsUncut(await ledgerAs(next, "compliance"), reading.cut());
});

test("an export that Postgres' restart cut ends with an error, and goes on when it is back", async () => {
  const postgres = await startOwnPostgres(folder);
  const service = running.use(await start(databaseOf(postgres)));
  await recordMuch(service);
  const compliance = await ledgerAs(service, "compliance");
  const reading = await begin(compliance);
  await postgres[Symbol.asyncDispose]();
  expect(await refusalOf(reading.rest())).toMatchObject({ code: "Unavailable", reason: "STORE_UNAVAILABLE" });
  expect(reading.cut().bytes.length).toBeLessThan(20_000_000);

  running.use(await startOwnPostgres(folder));
  await expect
    .poll(async () => (await compliance.listUserActions({ pageSize: 1 })).actions.length, { timeout: 10_000 })
    .toBe(1);
  await expectSameAsUncut(compliance, reading.cut());
});
