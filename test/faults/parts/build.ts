import { cp, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { migrations } from "../../../src/db/migrate.ts";
import { checkout } from "./replica.ts";

/** A copy of the service of `root`, to be changed. */
export async function copyBuild(root: string, folder: string): Promise<void> {
  for (const part of ["src", "gen", "package.json"]) {
    await cp(join(root, part), join(folder, part), { recursive: true });
  }
  await symlink(join(checkout, "node_modules"), join(folder, "node_modules"));
}

/** The name of the migration that the next version comes with. */
export const nextMigration = "9001_next.sql";

/**
 * The service of `root` as its next version: it has one more migration, of the kinds that a version may have whose
 * predecessor goes on serving. What takes longest of it is the wait for its locks.
 */
export async function makeNextVersion(root: string, folder: string): Promise<void> {
  await copyBuild(root, folder);
  const latest = migrations().at(-1)?.name.slice(0, 4);
  await writeFile(
    join(folder, "src/db/migrations", nextMigration),
    `-- serves-from: ${latest}
set local role governance_owner;
alter table auditor.parameter_change add column note text;
alter table ledger.user_action add column note text not null default '';
alter table log.state add column note text;
create table log.note (note_id text primary key, moved_at timestamptz not null default now());
comment on table log.note is 'moves: notes of the next version';
grant select, insert, update on log.note to governance_writer;
create index on log.settled (settled_at);
-- Made anew as they are: calls under way go on with what they began with.
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where (n.nspname, p.proname) in (('log', 'advance'), ('log', 'follow'), ('ledger', 'append'), ('auditor', 'append'))
  loop
    execute pg_get_functiondef(v_function);
  end loop;
end $$;
reset role;
`,
  );
}
