import { z } from "zod";
import { templateSchema } from "./template.ts";

const shared = {
  host: z.string(),
  port: z.int(),
  /** The method, "/package.Service/Method". */
  path: z.string(),
  /** Further headers, names in lower case: authorization, grpc-timeout. */
  headers: z.record(z.string(), z.string()),
  connections: z.int().positive(),
  /** Time that is not counted, before the time that is. */
  warmupMs: z.number(),
  durationMs: z.number(),
};

/** Unary calls in a closed loop: an answer lets the next call go. */
export const unaryJobSchema = z.object({
  kind: z.literal("unary"),
  ...shared,
  /** Calls in flight, over all connections. */
  inFlight: z.int().positive(),
  request: templateSchema,
  /** A varint field that every answer has to have, e.g. an outcome. Anything else is a failure. */
  expect: z.object({ field: z.int(), value: z.int() }).optional(),
});

/** StreamUserActions: one stream a connection, batches in a closed loop. */
export const streamJobSchema = z.object({
  kind: z.literal("stream"),
  ...shared,
  /** Batches without an ack, on each connection. */
  batchesInFlight: z.int().positive(),
  eventsPerBatch: z.int().positive(),
  open: templateSchema,
  batch: templateSchema,
  /** Where in the batch its first_offset lies: a varint of five bytes. */
  firstOffsetAt: z.int(),
});

export const jobSchema = z.discriminatedUnion("kind", [unaryJobSchema, streamJobSchema]);

/** What the load generator found. */
export const loadResultSchema = z.object({
  /** Calls answered, or events acked, in the time counted. */
  count: z.int(),
  perSecond: z.number(),
  /** Calls or events that failed at any time, warm-up included. */
  failures: z.int(),
  firstFailure: z.string().optional(),
  /** Latencies of calls, or of batches. */
  p50Us: z.number(),
  p99Us: z.number(),
  maxUs: z.number(),
  /** CPU time of the load generator per second: near 1, it is the load generator that is measured. */
  clientCores: z.number(),
});

export type UnaryJob = z.infer<typeof unaryJobSchema>;
export type StreamJob = z.infer<typeof streamJobSchema>;
export type Job = z.infer<typeof jobSchema>;
export type LoadResult = z.infer<typeof loadResultSchema>;
