import { runProgram } from "../program.ts";
import { type Job, type LoadResult, loadResultSchema } from "./job.ts";

/** Runs the load generator in a process of its own; failures are counted in the result. */
export function load(job: Job): Promise<LoadResult> {
  return runProgram(new URL("./program.ts", import.meta.url), job, loadResultSchema);
}

/** As load, but a single failed call throws: a rate with errors in it is no rate. */
export async function loadWithoutFailure(job: Job): Promise<LoadResult> {
  const result = await load(job);
  if (result.failures > 0 || result.count === 0) {
    throw new Error(`${job.path}: ${result.failures} failed, ${result.count} done: ${result.firstFailure}`);
  }
  return result;
}
