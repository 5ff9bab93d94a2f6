import type { PostgresConnection } from "./peers/postgres.ts";
import type { Service } from "./service.ts";

/** What a ratio should be. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** What the comparisons run on. */
export interface Context {
  readonly service: Service;
  /** A bare grpc-js server. */
  readonly echo: { readonly host: string; readonly port: number };
  /** Where the peers write: the same cluster as the service's. */
  readonly database: PostgresConnection;
  /** The time counted of each measurement. */
  readonly seconds: number;
}

/** A figure, and what else was seen on the way to it, for the JSON. */
export interface Measurement {
  readonly value: number;
  readonly details?: Readonly<Record<string, number>>;
}

/** Us beside a peer: two measurements of the same thing, made in turns. */
export interface Comparison {
  /** Short, for `--only`. */
  readonly name: string;
  /** What is measured on our side, and on the peer's. */
  readonly oursIs: string;
  readonly peerIs: string;
  /** The unit of both figures. */
  readonly unit: string;
  /** For ours ÷ peer. */
  readonly goal: Goal;
  ours(context: Context): Promise<Measurement>;
  peer(context: Context): Promise<Measurement>;
  /** Throws when the machine lacks what the comparison needs. */
  ready?(): Promise<void>;
}

/** Whether a ratio meets the goal. */
export function meets(ratio: number, goal: Goal): boolean {
  return "atLeast" in goal ? ratio >= goal.atLeast : ratio <= goal.atMost;
}
