import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** Does something to the system calls of a running process and all its threads, until it is disposed of. */
export async function tamper(pid: number, injection: string): Promise<AsyncDisposable> {
  const calls = injection.slice(0, injection.indexOf(":"));
  const child = spawn(
    "strace",
    ["-f", "-qq", "-o", "/dev/null", "-e", `trace=${calls}`, "-e", `inject=${injection}`, "-p", String(pid)],
    { stdio: "ignore" },
  );
  child.on("error", () => undefined); // Its absence is what cannotTrace is for.
  await sleep(150); // It says nothing when it has attached.
  if (child.exitCode !== null) throw new Error(`strace ended with ${child.exitCode}`);
  return {
    async [Symbol.asyncDispose]() {
      await end(child);
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGINT");
  await ended;
}

/** Why no process can be traced here; undefined where it can. */
export async function cannotTrace(): Promise<string | undefined> {
  const child = spawn("strace", ["-qq", "-o", "/dev/null", "true"], { stdio: "ignore" });
  const code = await new Promise((resolve) => {
    child.once("error", () => resolve("none"));
    child.once("exit", resolve);
  });
  return code === 0 ? undefined : "strace is not installed, or may not trace";
}
