import type { KeyObject } from "node:crypto";
import type pg from "pg";
import { recordKeyId } from "../keys/recordKey.ts";
import { StartupError } from "../startupError.ts";
import { checkServiceRole } from "./roleCheck.ts";

type Queryable = Pick<pg.ClientBase, "query">;

/**
 * Whether the database is of this version, the service's role can append to it and no more, and it was written
 * in this cluster with this key. Throws a StartupError that says what is not so.
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
 * Positions in the log follow the cluster's transaction ids. Records that were restored into another
 * cluster would take writes and never be readable, so the service says it at once.
 */
async function checkLogEpoch(client: Queryable): Promise<void> {
  const { rows } = await client.query<{ same: boolean }>(
    "select s.system_identifier = c.system_identifier as same from log.state s, pg_control_system() c",
  );
  if (rows[0]?.same === false) {
    throw new StartupError(
      "the database: its records were restored from another cluster, whose log this version cannot go on with; use a copy of the data directory or a standby instead of a dump",
    );
  }
}
