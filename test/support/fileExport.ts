import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { type CliOptions, type CliRun, envOf, type RunningCli, startCli } from "./cli.ts";
import type { Relay } from "./relay.ts";
import type { TestService } from "./service.ts";

/** An export into a file of its own, as often as it is run. */
export type FileExport = ReturnType<typeof fileExport>;

let outputs = 0;

/** `whole` is what the finished file has to be. */
export function fileExport(
  service: TestService,
  whole: Buffer,
  filters: readonly string[],
  options: CliOptions = {},
) {
  const output = join(service.dataDir, `export_${++outputs}.jsonl`);
  const state = `${output}.resume`;
  /** What the state beside the file says is on disk. */
  const keptBytes = async (): Promise<number> => JSON.parse(await readFile(state, "utf8")).bytes;

  function start(port: number, ...more: string[]): RunningCli {
    return startCli(["export", "--output", output, ...filters, ...more], {
      ...options,
      env: envOf(service, port),
    });
  }

  return {
    output,
    state,
    keptBytes,
    bytes: () => readFile(output),
    run: (port: number, ...more: string[]): Promise<CliRun> => start(port, ...more).done,
    resume: (): Promise<CliRun> => start(service.grpcPort, "--resume").done,

    /** Starts it behind a relay that holds: it has some bytes, some of them on disk, and hangs. */
    async stuckBehind(relay: Relay): Promise<RunningCli> {
      const running = start(relay.port);
      await relay.broken;
      while (!existsSync(state) || (await keptBytes()) === 0) await sleep(10);
      return running;
    },

    async expectWhole(run: CliRun, bytes = whole): Promise<void> {
      expect(run).toMatchObject({ exitCode: 0, stderr: "" });
      expect((await readFile(output)).equals(bytes)).toBe(true);
      expect(existsSync(state)).toBe(false);
    },
  };
}
