import { mkdtempDisposable, readdir, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ledgerAs } from "../../support/callers.ts";
import { databaseOf, startOwnPostgres } from "../../support/ownPostgres.ts";
import { tablesWith } from "./bytes.ts";
import { recordEverywhere } from "./everywhere.ts";
import { close, digits, startScrubbing } from "./scrubbing.ts";

async function filesWith(folder: string, characters: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(folder, { recursive: true })) {
    const path = join(folder, name);
    if (!(await stat(path)).isFile()) continue;
    const text = (await readFile(path)).toString("latin1").toLowerCase();
    if (text.includes(characters)) found.push(name);
  }
  return found;
}

test("after VACUUM FULL and the end of the old WAL its bytes are in no file of the database either", {
  timeout: 120_000,
}, async () => {
  await using running = new AsyncDisposableStack();
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-scrub-")));
  const dataDir = join(folder.path, "postgres");
  // Old segments of the WAL are removed rather than kept to be written over.
  const settings = { wal_recycle: "off", autovacuum: "off", log_statement: "none" };
  const postgres = running.use(await startOwnPostgres(folder.path, settings));
  const database = databaseOf(postgres);
  const service = running.use(await startScrubbing({ database }));
  // Compressed, the bytes would be there and not be seen.
  await database.query(
    "superuser",
    `do $$ declare v record; begin
       for v in select c.oid::regclass as name, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relkind in ('r', 'p') and c.relnamespace::regnamespace::text in ('ledger', 'access', 'maintenance')
           and a.attnum > 0 and not a.attisdropped and a.attstorage in ('x', 'm') loop
         execute format('alter table %s alter column %I set storage external', v.name, v.attname);
       end loop;
     end $$`,
  );
  await recordEverywhere(service);
  await database.query("superuser", "analyze");
  await database.query("superuser", "checkpoint");
  const inFiles = await filesWith(dataDir, digits);
  expect(inFiles.some((name) => name.startsWith("base"))).toBe(true);
  expect(inFiles.some((name) => name.startsWith("pg_wal"))).toBe(true);

  expect(await close(await ledgerAs(service, "account"))).toMatchObject({ scrubbed: true });
  expect(await tablesWith(database, digits)).toEqual([]);
  await database.query("superuser", "vacuum full");
  for (let segment = 0; segment < 2; segment++) {
    await database.query("superuser", "select pg_switch_wal()");
    await database.query("superuser", "checkpoint");
  }
  expect(await filesWith(folder.path, digits)).toEqual([]);
  expect(await filesWith(service.dataDir, digits)).toEqual([]);
});
