import type { PostgresConnection } from "./peers/postgres.ts";
import type { Service } from "./service.ts";

/** What a figure, or a ratio, should be. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** What our side of a comparison may use. */
export interface Ours {
  readonly service: Service;
  /** The time counted of each measurement. */
  readonly seconds: number;
}

/** What the comparisons run on. */
export interface Context extends Ours {
  /** A bare grpc-js server. */
  readonly echo: { readonly host: string; readonly port: number };
  /** A server on Node's bare http2. */
  readonly http2: { readonly host: string; readonly port: number };
  /** Where the peers write: a cluster with the settings of the service's. */
  readonly database: PostgresConnection;
}

/** A figure, and what else was seen on the way to it, for the JSON. */
export interface Measurement {
  readonly value: number;
  readonly details?: Readonly<Record<string, number>>;
}

/** Us beside a peer: two measurements of the same thing, made in turns. */
export interface Comparison {
  readonly kind: "comparison";
  /** Short, for `--only`. */
  readonly name: string;
  /** What is measured on our side, and on the peer's. */
  readonly oursIs: string;
  readonly peerIs: string;
  /** The unit of both figures. */
  readonly unit: string;
  /** For ours ÷ peer; undefined where the peer is a limit that nobody reaches. */
  readonly goal: Goal | undefined;
  ours(context: Context): Promise<Measurement>;
  peer(context: Context): Promise<Measurement>;
  /** Starts what it needs beside the context; that is there for all turns. */
  open?(context: Context): Promise<AsyncDisposable>;
  /** Throws when the machine lacks what the comparison needs. */
  ready?(): Promise<void>;
}

/** A figure of ours alone, measured in a number of turns too. */
export interface Figure {
  readonly kind: "figure";
  readonly name: string;
  readonly is: string;
  readonly unit: string;
  readonly goal: Goal;
  open?(context: Context): Promise<AsyncDisposable>;
  measure(context: Context): Promise<Measurement>;
}

/** Whether a figure meets the goal. */
export function meets(value: number, goal: Goal): boolean {
  return "atLeast" in goal ? value >= goal.atLeast : value <= goal.atMost;
}
