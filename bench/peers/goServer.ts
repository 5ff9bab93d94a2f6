import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { plainActionTable } from "./plainAction.ts";
import type { PostgresConnection } from "./postgres.ts";

const source = fileURLToPath(new URL("./go/", import.meta.url));

/** Throws, with a line that says what to install, when there is no Go here. */
export async function requireGo(): Promise<void> {
  try {
    await promisify(execFile)("go", ["version"]);
  } catch (cause) {
    throw new Error("go is missing: install Go 1.25 or later", { cause });
  }
}

export interface GoServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/** Builds the plain Go server, and starts it in a process of its own. */
export async function startGoServer(connection: PostgresConnection): Promise<GoServer> {
  await using starting = new AsyncDisposableStack();
  const folder = starting.use(await mkdtempDisposable(join(tmpdir(), "bench-")));
  const program = join(folder.path, "server");
  await promisify(execFile)("go", ["build", "-o", program, "."], { cwd: source });
  const client = new pg.Client(connection);
  await client.connect();
  for (const statement of plainActionTable) await client.query(statement);
  await client.end();
  const { host, port, user, password = "", database } = connection;
  const settings = { host, port, user, password, dbname: database };
  const keywords = Object.entries(settings).map(([name, value]) => `${name}='${value}'`);
  const child = spawn(program, [keywords.join(" ")], { stdio: ["pipe", "pipe", "inherit"] });
  const closed = once(child, "close");
  starting.defer(async () => {
    child.kill("SIGTERM");
    await closed;
  });
  const first = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  if (first.done === true) throw new Error("the Go server ended before it listened");
  const running = starting.move();
  return {
    host: "127.0.0.1",
    port: Number(first.value),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
