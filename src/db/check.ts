import type { KeyObject } from "node:crypto";
import type pg from "pg";
import { recordKeyId } from "../keys/recordKey.ts";
import { StartupError } from "../startupError.ts";
import { checkServiceRole } from "./roleCheck.ts";

type Queryable = Pick<pg.ClientBase, "query">;

/**
 * Whether the database is of this version, the service's role can append to it and no more, and it was written
 * where it is now, with this key. Throws a StartupError that says what is not so.
 */
export async function checkDatabase(client: Queryable, key: KeyObject): Promise<void> {
  await checkServiceRole(client);
  await checkLogEpoch(client);
  await checkRecordKey(client, key);
}

/**
 * Content hashes made with another key would turn every repeated event into a conflict, so the database
 * remembers which key it was written with.
 */
async function checkRecordKey(client: Queryable, key: KeyObject): Promise<void> {
  const id = recordKeyId(key);
  const { rows } = await client.query<{ id: string }>("select maintenance.claim_record_key($1) as id", [id]);
  if (rows[0]?.id !== id) {
    throw new StartupError(
      `GOVERNANCE_SCRUB_KEY_FILE: this key is not the one that the database was written with (${rows[0]?.id}); all replicas need the same file`,
    );
  }
}

/**
 * A restored copy may not be the only one, so the service does not begin a new epoch in it by itself: an operator
 * says that it is the one to go on with. After a promotion the sequencer does it.
 */
async function checkLogEpoch(client: Queryable): Promise<void> {
  const { rows } = await client.query<{ moved: string | null }>("select log.moved() as moved");
  if (rows[0]?.moved === "restored") {
    throw new StartupError(
      "the database: it was restored from a backup; if it is the one to go on with, run: governance begin-epoch",
    );
  }
}
