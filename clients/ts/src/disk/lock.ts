import { randomUUID } from "node:crypto";
import { link, mkdir, readdir, readFile, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isCode, replaceFile, syncFolder } from "./durable.ts";

const name = /^lock-(\d+)$/;

/**
 * Makes a folder this process's until it is released or the process ends, however it ends. Node has no flock: the
 * last of the files lock-1, lock-2 … names the process that has the folder, and who finds that process gone makes the
 * next one. Only one can: a link never replaces a file.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const numbers = await numbersIn(folder);
  const last = Math.max(0, ...numbers);
  if (last > 0 && (await isHeld(join(folder, `lock-${last}`)))) throw inUse(folder);
  const path = join(folder, `lock-${last + 1}`);
  const draft = join(folder, `draft-${randomUUID()}`);
  await writeFile(draft, await describe(process.pid), { mode: 0o600 });
  try {
    await link(draft, path);
  } catch (cause) {
    throw isCode(cause, "EEXIST") ? inUse(folder) : cause;
  } finally {
    await unlink(draft);
  }
  // Who was slow may have linked a number that others have gone past and removed.
  if ((await numbersIn(folder)).some((number) => number > last + 1)) {
    await unlink(path);
    throw inUse(folder);
  }
  for (const number of numbers) await unlink(join(folder, `lock-${number}`)).catch(() => {});
  await syncFolder(folder);
  return () => replaceFile(path, new Uint8Array());
}

async function numbersIn(folder: string): Promise<number[]> {
  return (await readdir(folder)).flatMap((entry) => name.exec(entry)?.slice(1).map(Number) ?? []);
}

function inUse(folder: string): Error {
  return new Error(`${folder} is in use: one process has a folder at a time`);
}

async function isHeld(path: string): Promise<boolean> {
  const text = await readFile(path, "utf8");
  const pid = Number(text.split(" ")[0]);
  return text !== "" && text === (await describe(pid).catch(() => ""));
}

/** A process, told apart from a later one with its number by when it began. */
async function describe(pid: number): Promise<string> {
  // Throws when there is no such process; one of another user is there all the same.
  try {
    process.kill(pid, 0);
  } catch (cause) {
    if (!isCode(cause, "EPERM")) throw cause;
  }
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The name of the command, in parentheses, may hold anything; the 20th field behind it is the start.
  const began = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  return `${pid} ${began}`;
}
