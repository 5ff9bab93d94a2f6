import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openDataFolder } from "../../src/dataFolder.ts";
import { StartupError } from "../../src/startupError.ts";

const module = new URL("../../src/dataFolder.ts", import.meta.url).href;

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "data-folder-"));
});
afterEach(async () => {
  await rm(scratch, { recursive: true, force: true });
});

/** Another process that opens the folder, prints "open" or its error's message, and holds the folder till killed. */
function openElsewhere(path: string) {
  const script = `
    import { openDataFolder } from ${JSON.stringify(module)};
    try {
      await openDataFolder(${JSON.stringify(path)});
      console.log("open");
      setInterval(() => {}, 1000);
    } catch (error) {
      console.log(error.name + " " + error.message);
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const chunks: string[] = [];
  child.stdout.on("data", (chunk) => chunks.push(String(chunk)));
  child.stderr.on("data", (chunk) => chunks.push(String(chunk)));
  return {
    pid: child.pid,
    said: () => chunks.join(""),
    opened: once(child.stdout, "data"),
    ended: once(child, "close"),
    async kill() {
      const ended = once(child, "close");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

test("a folder is made for its owner alone", async () => {
  const path = join(scratch, "new", "folder");
  await using folder = await openDataFolder(path);
  expect((await stat(folder.path)).mode & 0o777).toBe(0o700);
});

test("a second process is refused at once, with one line that names folder and holder", async () => {
  const path = join(scratch, "folder");
  await using folder = await openDataFolder(path);
  const start = performance.now();
  const second = openElsewhere(path);
  await second.ended;
  expect(performance.now() - start).toBeLessThan(2_000);
  expect(second.said()).toBe(
    `StartupError GOVERNANCE_DATA_DIR: ${folder.path} is in use by another governance process ` +
      `(pid ${process.pid}); stop that one, or name another folder\n`,
  );
});

test("the same process does not get a folder twice", async () => {
  const path = join(scratch, "folder");
  await using _folder = await openDataFolder(path);
  await expect(openDataFolder(path)).rejects.toThrow(StartupError);
  // Being refused does not free it.
  await expect(openDataFolder(path)).rejects.toThrow(/is in use/);
});

test("a folder is free again when its holder is disposed of", async () => {
  const path = join(scratch, "folder");
  for (let round = 0; round < 3; round++) {
    await using _folder = await openDataFolder(path);
  }
  expect(await readdir(path)).toEqual(["lock"]);
});

test("a folder is free again when its holder is killed", async () => {
  const path = join(scratch, "folder");
  const holder = openElsewhere(path);
  await holder.opened;
  expect(holder.said()).toBe("open\n");
  await expect(openDataFolder(path)).rejects.toThrow(`(pid ${holder.pid})`);
  await holder.kill();
  await using folder = await openDataFolder(path);
  expect(folder.path).toContain("folder");
});

test.each(["file", "file/below", "/proc/nowhere", "/proc"])("%s is refused as a folder", async (name) => {
  await writeFile(join(scratch, "file"), "");
  const path = name.startsWith("/") ? name : join(scratch, name);
  const refused = expect(openDataFolder(path)).rejects;
  await refused.toThrow(StartupError);
  await refused.toThrow(`GOVERNANCE_DATA_DIR: ${path} cannot be used (`);
});

test.skipIf(process.getuid?.() === 0)("a folder without the right to write is refused", async () => {
  await chmod(scratch, 0o500);
  await expect(openDataFolder(scratch)).rejects.toThrow(/cannot be used \(EACCES.*name a folder/);
  await expect(openDataFolder(join(scratch, "new"))).rejects.toThrow(/cannot be used \(EACCES/);
});
