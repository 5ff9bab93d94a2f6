import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from "../../../src/db/embedded/startEmbeddedPostgres.ts";
import { databaseOf } from "../../support/ownPostgres.ts";
import { descendants, signal } from "./processes.ts";

/** A Postgres to break. It stays the same cluster over kills and restarts. */
export type Victim = AsyncDisposable & {
  /** Its socket, or undefined while it is down. */
  readonly socket: string | undefined;
  url(role: "superuser" | "admin" | "service"): string;
  /** `kill -9`: the postmaster, one of its backends (it then restarts by itself), or all at once. */
  kill(what: "postmaster" | "backend" | "all"): Promise<void>;
  /** SIGSTOP for all its processes; SIGCONT. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Starts it where it is down, and waits until it answers. */
  start(): Promise<void>;
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  /** A session of the superuser's that stays open, e.g. to hold a lock. */
  session(): Promise<pg.Client>;
};

/** A copy of a migrated cluster in `folder`. */
export async function startVictim(
  template: string,
  folder: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<Victim> {
  await promisify(execFile)("cp", ["-a", "--reflink=auto", `${template}/.`, folder]);
  return runVictim(folder, settings);
}

/** Starts the cluster that lies in a folder, with settings over those of its files. */
export type StartCluster = (
  folder: string,
  settings: Readonly<Record<string, string>>,
) => Promise<EmbeddedPostgres>;

/** The cluster that lies in `folder`. */
export async function runVictim(
  folder: string,
  settings: Readonly<Record<string, string>> = {},
  startIt: StartCluster = startCluster,
): Promise<Victim> {
  const start = () => startIt(folder, settings);
  let running: EmbeddedPostgres | undefined = await start();
  const connections = databaseOf(running);
  const { host, port } = running.superuser;
  let frozen: readonly number[] = [];

  async function session(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: connections.url("superuser") });
    client.on("error", () => undefined); // Its server is killed on purpose; its queries fail with it.
    await client.connect();
    return client;
  }

  async function thaw(): Promise<void> {
    // The backends first: a postmaster that wakes to stopped children takes them for hung.
    for (const pid of [...frozen].reverse()) signal(pid, "SIGCONT");
    frozen = [];
  }

  async function answers(): Promise<boolean> {
    try {
      const client = await session();
      await client.query("select 1");
      await client.end();
      return true;
    } catch {
      return false; // Not yet.
    }
  }

  return {
    get socket() {
      return running === undefined ? undefined : `${host}/.s.PGSQL.${port}`;
    },
    url: connections.url,
    async kill(what) {
      if (running === undefined) return;
      const children = await descendants(running.pid);
      if (what === "backend") {
        const victim = children[Math.floor(children.length / 2)];
        if (victim !== undefined) signal(victim, "SIGKILL");
        return;
      }
      const killed = running;
      running = undefined;
      signal(killed.pid, "SIGKILL");
      if (what === "all") for (const child of children) signal(child, "SIGKILL");
      await killed[Symbol.asyncDispose]();
    },
    async freeze() {
      if (running === undefined) return;
      frozen = [running.pid, ...(await descendants(running.pid))];
      for (const pid of frozen) signal(pid, "SIGSTOP");
    },
    thaw,
    async start() {
      if (running !== undefined && !(await answers())) {
        // It may be starting again by itself, or have given up.
        const ended = await Promise.race([running.exited, wait(3_000)]);
        if (ended !== undefined) running = undefined;
      }
      running ??= await start();
      while (!(await answers())) await wait(50);
    },
    async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) {
      const client = await session();
      try {
        return (await client.query<Row>(text, values)).rows;
      } finally {
        await client.end();
      }
    },
    session,
    async [Symbol.asyncDispose]() {
      await thaw();
      await running?.[Symbol.asyncDispose]();
    },
  };
}

function startCluster(folder: string, settings: Readonly<Record<string, string>>): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({
    dataDir: join(folder, "postgres"),
    logFile: join(folder, "postgres.log"),
    // A killed process keeps the page cache. Connections enough for two replicas and whoever looks on.
    extraSettings: { fsync: "off", max_connections: "200", ...settings },
  });
}

/** Makes the cluster that all scenarios copy, migrated for the service in `root`, stopped. */
export async function makeTemplate(folder: string, root: string): Promise<string> {
  const path = join(folder, "template");
  const { migrate }: typeof import("../../../src/db/migrate.ts") = await import(
    join(root, "src/db/migrate.ts")
  );
  const postgres = await startCluster(path, {});
  await migrate(postgres.admin, postgres.service.user);
  await postgres[Symbol.asyncDispose]();
  await rm(join(path, "postgres.log"), { force: true });
  return path;
}

function wait(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms));
}
