import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../parts/random.ts";
import type { Replica } from "../parts/replica.ts";
import { recordActions } from "./actions.ts";
import { type Connection, connect } from "./connection.ts";
import { recordFills } from "./fills.ts";
import type { History } from "./history.ts";
import { streamActions } from "./stream.ts";
import { checkWrites } from "./writes.ts";

/** What all callers share. */
export type Caller = {
  /** Names what it sends; no two are alike. */
  readonly name: string;
  readonly subject: string;
  readonly replica: string;
  readonly connection: Connection;
  readonly history: History;
  readonly random: Random;
  /** Told of a stream that hears nothing, neither an answer nor an error. */
  silent(text: string): void;
  /** True once the caller is to stop after the call under way. */
  isOver(): boolean;
  /** What it waits between two calls, in milliseconds, at most. */
  readonly paceMs: number;
};

export type Load = {
  /** Lets the calls under way end. */
  stop(): Promise<void>;
};

/** How many of each; those of a kind share connections by four. */
export type Crowd = {
  readonly actions: number;
  readonly streams: number;
  readonly fills: number;
  readonly writes: number;
  readonly paceMs: number;
};

export const usualCrowd: Crowd = { actions: 6, streams: 2, fills: 3, writes: 8, paceMs: 25 };

let loads = 0;

/** Real clients over several connections, until they are stopped. */
export async function startLoad(options: {
  readonly replica: Replica;
  readonly history: History;
  readonly random: Random;
  readonly crowd: Crowd;
  readonly onSilence: (text: string) => void;
}): Promise<Load> {
  const { replica, history, crowd } = options;
  const load = `${replica.name}${++loads}`;
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
    let connection: Connection | undefined;
    for (let i = 0; i < crowd[kind]; i++) {
      const subject = `${kind}-${load}-${Math.floor(i / 4)}`;
      if (connection === undefined || i % 4 === 0) {
        connection = connect(replica.grpcPort, await replica.token("bot", subject));
        connections.push(connection);
      }
      const name = `${kind}-${load}-${i}`;
      const caller: Caller = {
        name,
        subject,
        replica: replica.name,
        connection,
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

/** Waits as the caller's pace asks. */
export async function pause({ random, paceMs }: Caller): Promise<void> {
  await sleep(random.between(0, paceMs));
}
