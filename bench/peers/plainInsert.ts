import { z } from "zod";
import { runProgram } from "../program.ts";
import type { PostgresConnection } from "./postgres.ts";

export const plainInsertJobSchema = z.object({
  connection: z.object({
    host: z.string(),
    port: z.int(),
    user: z.string(),
    password: z.string().optional(),
    database: z.string(),
  }),
  /** Calls in flight, and connections in the pool. */
  inFlight: z.int().positive(),
  /** Time that is not counted, before the time that is. */
  warmupMs: z.number(),
  durationMs: z.number(),
});

export const plainInsertResultSchema = z.object({
  insertsPerSecond: z.number(),
  p50Us: z.number(),
  p99Us: z.number(),
});

export type PlainInsertResult = z.infer<typeof plainInsertResultSchema>;

/** What an auditor without us would do: a row a call with pg, in a process of its own, no network before it. */
export function plainInsert(job: {
  connection: PostgresConnection;
  inFlight: number;
  warmupMs: number;
  durationMs: number;
}): Promise<PlainInsertResult> {
  return runProgram(new URL("./plainInsertProgram.ts", import.meta.url), job, plainInsertResultSchema);
}
