import { execFile } from "node:child_process";
import { readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { StartupError } from "../../startupError.ts";
import { disownPidFile, readPidFile } from "./pidFile.ts";
import { clearSocketDir } from "./socketDir.ts";
import { STOP_STEPS } from "./stopSteps.ts";

const POLL_MS = 20;

/**
 * Stops the Postgres of this folder that outlived its owner (killed with -9), if there is one. The caller holds the
 * folder's lock, so the owner is gone. Takes 20 s at most, then throws StartupError.
 */
export async function stopOrphan(dataDir: string): Promise<void> {
  const left = await readPidFile(dataDir);
  if (left === undefined) return;
  await stop(left.pid, dataDir);
  if (left.socketDir !== undefined) await clearSocketDir(left.socketDir);
  // Still there if it was killed or crashed; the pid may be another process's by now.
  if ((await readPidFile(dataDir)) !== undefined) await disownPidFile(dataDir);
}

async function stop(pid: number, dataDir: string): Promise<void> {
  for (const { signal, waitMs } of STOP_STEPS) {
    const deadline = performance.now() + waitMs;
    for (let asked = false; performance.now() < deadline; await sleep(POLL_MS)) {
      // Asked each time, for a pid is nobody's for long.
      if (!(await isPostmasterOf(pid, dataDir))) return;
      if (!asked) sendSignal(pid, signal, dataDir);
      asked = true;
    }
  }
  throw new StartupError(`the Postgres of ${dataDir} (pid ${pid}) does not end; end it and start again`);
}

function sendSignal(pid: number, signal: NodeJS.Signals, dataDir: string): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return;
    throw new StartupError(
      `the Postgres of ${dataDir} still runs (pid ${pid}) under another user; stop it, or start as that user`,
      { cause: error },
    );
  }
}

/** Whether the process lives (a zombie does not) and is the Postgres of this folder. */
async function isPostmasterOf(pid: number, dataDir: string): Promise<boolean> {
  if (process.platform !== "linux") return isPostmasterByPs(pid, dataDir);
  const [program, ...args] = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
  if (program === undefined || basename(program) !== "postgres") return false;
  if (args[args.indexOf("-D") + 1] === dataDir) return true;
  // The folder may have been renamed under it.
  return (await readlink(`/proc/${pid}/cwd`).catch(() => "")) === dataDir;
}

async function isPostmasterByPs(pid: number, dataDir: string): Promise<boolean> {
  const { stdout } = await promisify(execFile)("ps", ["-ww", "-o", "command=", "-p", String(pid)]).catch(
    () => ({
      stdout: "",
    }),
  );
  return stdout.includes(`/postgres -D ${dataDir} `);
}
