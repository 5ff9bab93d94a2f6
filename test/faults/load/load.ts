import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../parts/random.ts";
import type { Replica } from "../parts/replica.ts";
import { recordActions } from "./actions.ts";
import { type Connection, connect } from "./connection.ts";
import { recordFills } from "./fills.ts";
import type { History } from "./history.ts";
import { streamActions } from "./stream.ts";
import { checkWrites } from "./writes.ts";

/** A replica, and the caller's connection to it. */
export type Way = { readonly replica: string; readonly connection: Connection };

/** What all callers share. */
export type Caller = {
  /** Names what it sends; no two are alike. */
  readonly name: string;
  readonly subject: string;
  /** Where the next call goes: to each replica in turn, as behind a balancer. */
  way(): Way;
  readonly history: History;
  readonly random: Random;
  /** Told of a stream that hears nothing, neither an answer nor an error. */
  silent(replica: string, text: string): void;
  /** True once the caller is to stop after the call under way. */
  isOver(): boolean;
  /** What it waits between two calls, in milliseconds, at most. */
  readonly paceMs: number;
};

export type Load = {
  /** Lets the calls under way end. */
  stop(): Promise<void>;
};

/** How many of each; those of a kind share connections by four, one to each replica. */
export type Crowd = {
  readonly actions: number;
  readonly streams: number;
  readonly fills: number;
  readonly writes: number;
  readonly paceMs: number;
};

export const usualCrowd: Crowd = { actions: 6, streams: 2, fills: 3, writes: 8, paceMs: 25 };

/** For several replicas behind one balancer, which need cores too. */
export const balancedCrowd: Crowd = { actions: 4, streams: 1, fills: 2, writes: 6, paceMs: 40 };

let loads = 0;

/** Real clients over several connections, until they are stopped. */
export async function startLoad(options: {
  /** Those that stand behind one balancer. */
  readonly replicas: readonly Replica[];
  readonly history: History;
  readonly random: Random;
  readonly crowd: Crowd;
  readonly onSilence: (replica: string, text: string) => void;
}): Promise<Load> {
  const { replicas, history, crowd } = options;
  const load = `${replicas.map(({ name }) => name).join("")}${++loads}`;
  const connections: Connection[] = [];
  let over = false;
  const callers: Promise<void>[] = [];
  const kinds = [
    ["actions", recordActions],
    ["streams", streamActions],
    ["fills", recordFills],
    ["writes", checkWrites],
  ] as const;
  for (const [kind, run] of kinds) {
    let ways: readonly Way[] = [];
    for (let i = 0; i < crowd[kind]; i++) {
      const subject = `${kind}-${load}-${Math.floor(i / 4)}`;
      if (i % 4 === 0) {
        ways = await Promise.all(replicas.map((each) => wayTo(each, subject)));
        connections.push(...ways.map(({ connection }) => connection));
      }
      const name = `${kind}-${load}-${i}`;
      const caller: Caller = {
        name,
        subject,
        way: inTurn(ways, i),
        history,
        random: options.random.fork(name),
        silent: options.onSilence,
        isOver: () => over,
        paceMs: crowd.paceMs,
      };
      callers.push(run(caller));
    }
  }
  return {
    async stop() {
      over = true;
      await Promise.all(callers);
      for (const connection of connections) connection[Symbol.dispose]();
    },
  };
}

async function wayTo(replica: Replica, subject: string): Promise<Way> {
  const connection = connect(replica.grpcPort, await replica.token("bot", subject));
  return { replica: replica.name, connection };
}

function inTurn(ways: readonly Way[], first: number): () => Way {
  let next = first;
  return () => {
    const way = ways[next++ % ways.length];
    if (way === undefined) throw new Error("a caller needs a replica");
    return way;
  };
}

/** Waits as the caller's pace asks. */
export async function pause({ random, paceMs }: Caller): Promise<void> {
  await sleep(random.between(0, paceMs));
}
