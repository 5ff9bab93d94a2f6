// The load generator's process: a job as JSON on stdin, the result as JSON on stdout.
import { json } from "node:stream/consumers";
import { type Connection, openConnection } from "./connection.ts";
import { type Job, jobSchema, type LoadResult } from "./job.ts";
import { streamInLoop } from "./stream.ts";
import { startTally } from "./tally.ts";
import { createFill } from "./template.ts";
import { callInLoop } from "./unary.ts";

/** How long after the end answers may still come. */
const graceMs = 10_000;

async function run(job: Job): Promise<LoadResult> {
  const numbers = Array.from({ length: job.connections }, (_, i) => i);
  const connections = await Promise.all(numbers.map(() => openConnection(job.host, job.port)));
  const fill = createFill();
  const tally = startTally(job.warmupMs, job.durationMs);
  const loops = connections.map((connection, i) => {
    if (job.kind === "stream") return streamInLoop(job, connection, tally, fill);
    const inFlight = Math.floor((job.inFlight + i) / job.connections);
    return inFlight > 0 ? callInLoop(job, connection, inFlight, tally, fill) : undefined;
  });
  // Closing makes everything that has no answer yet a failure.
  const overdue = setTimeout(() => closeAll(connections), job.warmupMs + job.durationMs + graceMs);
  await Promise.all(loops);
  clearTimeout(overdue);
  const result = tally.result();
  closeAll(connections);
  return result;
}

function closeAll(connections: readonly Connection[]): void {
  for (const connection of connections) connection.close();
}

try {
  const result = await run(jobSchema.parse(await json(process.stdin)));
  process.stdout.write(JSON.stringify(result));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
