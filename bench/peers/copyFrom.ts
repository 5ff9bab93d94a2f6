import { randomUUID } from "node:crypto";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { Measurement } from "../comparison.ts";
import { paramsJson, sessions, wallets } from "../payload.ts";
import { plainActionTable } from "./plainAction.ts";
import type { PostgresConnection } from "./postgres.ts";
import { psql } from "./psql.ts";

const rows = 100_000;
const columns =
  "accepted_at, epoch, ord, retained_until, record_id, event_id, wallet, session_id, action_type, recorded_by, trace_id, params_json";

/** COPY FROM of a file into the plain table: rows per second, in one transaction. */
export async function copyFrom(connection: PostgresConnection): Promise<Measurement> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "bench-"));
  const file = join(folder.path, "actions");
  await writeFile(file, Array.from({ length: rows }, row).join(""));
  const client = new pg.Client(connection);
  await client.connect();
  for (const statement of plainActionTable) await client.query(statement);
  await client.end();
  const seconds = await psql(connection, `\\copy plain_action (${columns}) from '${file}'`);
  return { value: rows / seconds };
}

const hexadecimal = (below: number, digits: number) =>
  Math.floor(Math.random() * below)
    .toString(16)
    .padStart(digits, "0");

/** A line of COPY's text format, its values spread as those of payload.ts are. */
function row(): string {
  const values = [
    new Date().toISOString(),
    "1",
    "0",
    "2033-05-09",
    randomUUID().replaceAll("-", ""),
    randomUUID(),
    `0x${hexadecimal(wallets, 40)}`,
    `sess_${hexadecimal(sessions, 8)}`,
    "STRATEGY_START",
    "bench",
    randomUUID(),
    paramsJson,
  ];
  return `${values.join("\t")}\n`;
}
