import { execFile } from "node:child_process";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A disk of this size at `path`, until it is disposed of. Needs root. */
export async function mountTmpfs(path: string, sizeMiB: number): Promise<AsyncDisposable> {
  await mkdir(path, { recursive: true, mode: 0o755 });
  await run("mount", ["-t", "tmpfs", "-o", `size=${sizeMiB}m,mode=0755`, "tmpfs", path]);
  return {
    async [Symbol.asyncDispose]() {
      // Lazily: a process that is about to end may still have a file open there.
      await run("umount", ["-l", path]);
    },
  };
}

/** Why nothing can be mounted here; undefined where it can. */
export async function cannotMount(): Promise<string | undefined> {
  const path = `/tmp/faults-mount-${process.pid}`;
  try {
    const mounted = await mountTmpfs(path, 1);
    await mounted[Symbol.asyncDispose]();
    return undefined;
  } catch {
    return "nothing can be mounted here (it takes root)";
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

/** Takes all the room there is at `path`. Disposing gives it back. */
export async function fillDisk(path: string): Promise<AsyncDisposable> {
  const name = join(path, "filler");
  const file = await open(name, "w");
  for (const chunk of [Buffer.alloc(1 << 20), Buffer.alloc(4096)]) {
    while (
      await file.write(chunk).then(
        ({ bytesWritten }) => bytesWritten > 0,
        () => false,
      )
    );
  }
  await file.close();
  return {
    async [Symbol.asyncDispose]() {
      await rm(name, { force: true });
    },
  };
}
