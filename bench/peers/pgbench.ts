import { execFile } from "node:child_process";
import { mkdtempDisposable, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import type { PostgresConnection } from "./postgres.ts";

export interface PgbenchOptions {
  connection: PostgresConnection;
  /** Statements that make the table if it is not there; run each time. */
  setup: readonly string[];
  /** The script of one transaction. */
  script: string;
  clients: number;
  /** Whole seconds that are not counted, before those that are. */
  warmupSeconds: number;
  seconds: number;
}

export interface PgbenchResult {
  transactionsPerSecond: number;
  /** Latencies of the seconds counted, from a sample. */
  p50Us: number;
  p99Us: number;
}

/** One transaction in this many is logged for the percentiles: enough of them, and no burden on pgbench. */
const sampledShare = 0.1;

const missing = "pgbench is missing: install Debian's package postgresql-contrib (or postgresql)";

/** Throws, with a line that says what to install, when there is no pgbench here. */
export async function requirePgbench(): Promise<void> {
  await run(["--version"]);
}

/** Runs pgbench with prepared statements, a transaction at a time on each client. */
export async function pgbench(options: PgbenchOptions): Promise<PgbenchResult> {
  const { connection, clients, warmupSeconds, seconds } = options;
  await runStatements(connection, options.setup);
  await using folder = await mkdtempDisposable(join(tmpdir(), "bench-"));
  const script = join(folder.path, "script.sql");
  await writeFile(script, options.script);
  const output = await run(
    [
      ...["--no-vacuum", "--client", String(clients), "--jobs", "2", "--protocol", "prepared"],
      ...["--time", String(warmupSeconds + seconds), "--progress", "1", "--file", script],
      ...["--log", "--log-prefix", join(folder.path, "log"), "--sampling-rate", String(sampledShare)],
      ...["--host", connection.host, "--port", String(connection.port), "--username", connection.user],
      connection.database,
    ],
    connection.password,
  );
  // The last line may cover a part of a second, so no more than asked for are taken.
  const tps = [...output.matchAll(/^progress: .*? ([\d.]+) tps/gm)].map((match) => Number(match[1]));
  const counted = tps.slice(warmupSeconds, warmupSeconds + seconds);
  if (!output.includes("failed transactions: 0 ") || counted.length === 0) {
    throw new Error(`pgbench failed: ${output}`);
  }
  const latencies = await readLatencies(folder.path, warmupSeconds);
  const percentileUs = (p: number) => latencies[Math.ceil(p * latencies.length) - 1] ?? 0;
  return {
    transactionsPerSecond: counted.reduce((sum, each) => sum + each, 0) / counted.length,
    p50Us: percentileUs(0.5),
    p99Us: percentileUs(0.99),
  };
}

async function runStatements(connection: PostgresConnection, statements: readonly string[]): Promise<void> {
  const client = new Client(connection);
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** What pgbench prints, progress included. */
async function run(args: readonly string[], password?: string): Promise<string> {
  const env = password === undefined ? process.env : { ...process.env, PGPASSWORD: password };
  try {
    const { stdout, stderr } = await promisify(execFile)("pgbench", args, { env });
    return stdout + stderr;
  } catch (cause) {
    throw new Error(isMissing(cause) ? missing : `pgbench failed: ${firstComplaint(cause)}`, { cause });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

// Each of the clients complains; the first one says it all.
function firstComplaint(error: unknown): string {
  const stderr = error instanceof Error && "stderr" in error ? String(error.stderr) : "";
  return stderr.split("\n").find((line) => line.includes("error")) ?? String(error);
}

/** The latencies in µs that pgbench logged after the warm-up, sorted. */
async function readLatencies(folder: string, warmupSeconds: number): Promise<Float64Array> {
  const logs = (await readdir(folder)).filter((name) => name.startsWith("log."));
  const texts = await Promise.all(logs.map((name) => readFile(join(folder, name), "utf8")));
  // client, number, latency, script, end in seconds, and its microseconds
  const rows = texts.flatMap((text) => text.trimEnd().split("\n")).map((line) => line.split(" ").map(Number));
  const endOf = (row: readonly number[]) => (row[4] ?? 0) + (row[5] ?? 0) / 1e6;
  const countFrom = rows.reduce((first, row) => Math.min(first, endOf(row)), Infinity) + warmupSeconds;
  const counted = rows.filter((row) => endOf(row) >= countFrom);
  return Float64Array.from(counted, (row) => row[2] ?? 0).sort();
}
