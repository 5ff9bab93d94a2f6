// A plain program that audits parameter changes: one insert a call with pg's pool, each its own commit.
import { randomUUID } from "node:crypto";
import { json } from "node:stream/consumers";
import { Pool } from "pg";
import { createLatencies } from "../latencies.ts";
import { type PlainInsertResult, plainInsertJobSchema } from "./plainInsert.ts";

const table = [
  `create table if not exists plain_change (
    decision_id text primary key,
    bot_slug text not null,
    param_name text not null,
    old_value jsonb,
    new_value jsonb,
    editor_id text not null,
    ticket_ref text,
    param_tier text not null,
    verdict text not null,
    write_id text not null unique,
    trace_id text,
    changed_at timestamptz not null default now()
  )`,
  "create index if not exists plain_change_param on plain_change (bot_slug, param_name, changed_at)",
];

// Named, so that Postgres prepares it once a connection: the faster way to write this program.
const insert = {
  name: "insert",
  text: `insert into plain_change (
      decision_id, bot_slug, param_name, old_value, new_value, editor_id, ticket_ref, param_tier, verdict,
      write_id, trace_id
    ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
};

const { connection, inFlight, warmupMs, durationMs } = plainInsertJobSchema.parse(await json(process.stdin));
const { password, ...withoutPassword } = connection;
const pool = new Pool({
  ...withoutPassword,
  ...(password === undefined ? {} : { password }),
  max: inFlight,
});
for (const statement of table) await pool.query(statement);

const latencies = createLatencies();
const countFrom = performance.now() + warmupMs;
const countUntil = countFrom + durationMs;
let count = 0;

async function call(): Promise<void> {
  const sentAt = performance.now();
  await pool.query({
    ...insert,
    values: [
      randomUUID(),
      "risk.liquidityguard",
      "max_position_pusd",
      "5000",
      "7500",
      "alice@polytraders",
      "PTRD-1042",
      "P1",
      "ALLOW",
      randomUUID(),
      randomUUID(),
    ],
  });
  const now = performance.now();
  if (now < countFrom || now >= countUntil) return;
  count++;
  latencies.add((now - sentAt) * 1000);
}

async function loop(): Promise<void> {
  while (performance.now() < countUntil) await call();
}

await Promise.all(Array.from({ length: inFlight }, loop));
await pool.end();
const result: PlainInsertResult = {
  insertsPerSecond: (count * 1000) / durationMs,
  p50Us: latencies.percentileUs(0.5),
  p99Us: latencies.percentileUs(0.99),
};
process.stdout.write(JSON.stringify(result));
