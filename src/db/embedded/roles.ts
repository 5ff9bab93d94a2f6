import { Client } from "pg";
import type { ConnectionSettings } from "./connection.ts";
import type { Passwords } from "./passwords.ts";

export const SUPERUSER = "postgres";
export const ADMIN_ROLE = "governance_admin";
export const SERVICE_ROLE = "governance_service";
export const DATABASE = "governance";

/** Makes the two login roles and the database, what is missing of them; all else is for migrations. */
export async function ensureRoles(superuser: ConnectionSettings, passwords: Passwords): Promise<void> {
  const client = new Client({
    ...superuser,
    database: "postgres",
    // A statement that fails would be logged, and these carry passwords.
    options: "-c log_min_error_statement=panic",
  });
  // Whoever stops Postgres meanwhile breaks the connection; the query says so.
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ roles: string[]; databases: string[] }>(
      `select array(select rolname::text from pg_roles) as roles,
              array(select datname::text from pg_database) as databases`,
    );
    const existing = rows[0] ?? { roles: [], databases: [] };
    if (!existing.roles.includes(ADMIN_ROLE)) {
      await client.query(`create role ${ADMIN_ROLE} login createrole password '${passwords.admin}'`);
    }
    if (!existing.roles.includes(SERVICE_ROLE)) {
      await client.query(`create role ${SERVICE_ROLE} login password '${passwords.service}'`);
    }
    if (!existing.databases.includes(DATABASE)) {
      await client.query(`create database ${DATABASE} owner ${ADMIN_ROLE}`);
    }
  } finally {
    await client.end();
  }
}
