import type { KeyObject } from "node:crypto";
import pg from "pg";
import { cannotConnect } from "../../db/migrate.ts";
import type { Connection } from "../../db/pool.ts";
import { checkVersion } from "../../db/roleCheck.ts";
import { recordKeyId } from "../../keys/recordKey.ts";
import { StartupError } from "../../startupError.ts";
import { textOfMicros } from "../../time.ts";
import { createIdentities } from "../identity.ts";
import { purgeLock, scrubLock } from "./scrubber.ts";
import { scrubWallet } from "./scrubWallet.ts";
import { scrubbedTables } from "./tables.ts";

/** How many accounts came to what. */
export type Reapplied = {
  readonly scrubbed: number;
  /** Rows of records that were changed for them. */
  readonly records: number;
  /** A legal hold covers records of theirs: the service scrubs them once it is released. */
  readonly held: number;
  /** Nothing of theirs is on record; what arrives later is hashed on its way in. */
  readonly absent: number;
  /** Their receipt is on record. */
  readonly before: number;
};

/** The subject that the receipts name. */
const askedBy = "governance scrub reapply";
const fetchRows = 10_000;

/**
 * Scrubs again what a restored database has of accounts that had been scrubbed, given by what stands for their wallets
 * (R11): which wallets these are is found by hashing those on record. As the administrator; services may run meanwhile,
 * and it can be repeated. Throws a StartupError.
 */
export async function reapplyScrubs(options: {
  readonly admin: Connection;
  readonly key: KeyObject;
  readonly identities: ReadonlySet<string>;
  readonly recordId: () => string;
  readonly nowMicros: () => number;
}): Promise<Reapplied> {
  const { admin, key, identities, recordId, nowMicros } = options;
  const keyId = recordKeyId(key);
  const other = [...identities].find((identity) => identity.split(":")[1] !== keyId);
  if (other !== undefined) {
    throw new StartupError(
      `GOVERNANCE_SCRUB_KEY_FILE: ${other.slice(0, 25)}… was made with another key than this one (${keyId})`,
    );
  }
  const client = new pg.Client({ ...admin, application_name: askedBy, options: "-c timezone=UTC" });
  client.on("error", () => undefined); // The pending query fails with it.
  await client.connect().catch((cause: unknown) => {
    throw cannotConnect("DATABASE_ADMIN_URL", cause);
  });
  try {
    await checkVersion(client);
    await client.query(`select pg_advisory_lock(${scrubLock}), pg_advisory_lock(${purgeLock})`);
    await client.query("set role governance_owner");
    const { rows: receipts } = await client.query<{ identity: string }>(
      "select identity from ledger.erasure where identity = any ($1)",
      [[...identities]],
    );
    const missing = new Set(identities);
    for (const { identity } of receipts) missing.delete(identity);
    const wallets = missing.size === 0 ? new Map<string, string>() : await walletsOf(client, key, missing);
    let [scrubbed, records, held] = [0, 0, 0];
    for (const [identity, wallet] of wallets) {
      const closing = await closingOf(client, { identity, wallet, recordId: recordId() }, nowMicros());
      const result = await scrubWallet(client, closing, {
        receiptId: `era_${recordId()}`,
        nowMicros: nowMicros(),
        signal: new AbortController().signal,
        note: async () => undefined, // The file says it already.
      });
      missing.delete(identity);
      if (result.kind === "held") held++;
      else {
        scrubbed++;
        records += result.records;
      }
    }
    await client.query(
      `insert into ledger.closed_wallet (identity, closed_at)
       select identity, $2 from unnest($1::text[]) as identity on conflict do nothing`,
      [[...missing], textOfMicros(nowMicros())],
    );
    return { scrubbed, records, held, absent: missing.size, before: receipts.length };
  } finally {
    await client.end();
  }
}

/** Those of the wallets on record that the identities stand for. */
async function walletsOf(
  client: pg.Client,
  key: KeyObject,
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, string>> {
  const identities = createIdentities(key, recordKeyId(key));
  const found = new Map<string, string>();
  for (const { name, columns } of await scrubbedTables(client)) {
    const has = (column: string) => columns.some((each) => each.name === column);
    const named = [
      ...(has("wallet") ? [`select lower(wallet) as wallet from ${name}`] : []),
      ...(has("mentions") ? [`select '0x' || unnest(mentions) from ${name} where mentions is not null`] : []),
    ];
    if (named.length === 0) continue;
    await client.query("begin");
    await client.query(
      `declare named no scroll cursor for select distinct wallet from (${named.join(" union all ")}) as n (wallet)
       where wallet ~ '^0x[0-9a-f]{40}$'`,
    );
    for (;;) {
      const { rows } = await client.query<{ wallet: string }>(`fetch ${fetchRows} from named`);
      for (const { wallet } of rows) {
        const identity = identities.of(wallet);
        if (wanted.has(identity)) found.set(identity, wallet);
      }
      if (rows.length < fetchRows) break;
    }
    await client.query("commit");
  }
  return found;
}

type Closing = { readonly identity: string; readonly wallet: string; readonly recordId: string };

/** The closing that the scrub's receipt names: the one on record, or one in the place of what the restore took back. */
async function closingOf(client: pg.Client, closing: Closing, nowMicros: number): Promise<Closing> {
  await client.query(
    `insert into ledger.closing (record_id, identity, wallet, closed_at, asked_by)
     select $1, $2, $3, $4, $5 where not exists (select from ledger.closing where identity = $2)`,
    [closing.recordId, closing.identity, closing.wallet, textOfMicros(nowMicros), askedBy],
  );
  const { rows } = await client.query<{ record_id: string; wallet: string }>(
    "select record_id, wallet from ledger.closing where identity = $1 order by closed_at, record_id limit 1",
    [closing.identity],
  );
  const [row] = rows;
  return row === undefined ? closing : { ...closing, recordId: row.record_id, wallet: row.wallet };
}
