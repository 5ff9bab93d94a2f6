import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import { syncFolder } from "../../db/embedded/syncFolder.ts";
import { userMessages } from "../../reasonCodes.ts";
import { StartupError } from "../../startupError.ts";
import { bytesOf, createCounts } from "./counts.ts";
import {
  type Damage,
  type EndedOutage,
  type Entry,
  type NewEntry,
  type SpoolBot,
  spoolBots,
} from "./entry.ts";
import type { Answer, Ask, Opened } from "./messages.ts";
import type { SettledEntry } from "./spoolFile.ts";

/** The spool did not take the records: it is full, or its disk fails. Nothing of them is kept. */
export class SpoolUnavailable extends Error {}

/** What waits in the spool for a bot's database. */
export type BufferState = {
  readonly records: number;
  readonly bytes: number;
  /** When the oldest was accepted, microseconds; undefined: none waits. */
  readonly oldestMicros: number | undefined;
  /** Whether the spool takes records, as far as is known. */
  readonly isTaking: boolean;
};

/** Records that are durable on this machine until the database has them (R4). */
export type Spool = AsyncDisposable & {
  /** Resolves once the entries are on the disk. Throws SpoolUnavailable. */
  append(entries: readonly NewEntry[]): Promise<void>;
  /** Whether nothing waits, of either bot. */
  readonly isEmpty: boolean;
  /** Whether an entry with the key waits: what follows it must wait too (R23). */
  holds(key: number): boolean;
  /** Records of a journal that wait. */
  waiting(journal: string): number;
  /** The first entries of a journal that wait, behind the seq `after`. */
  take(journal: string, limit: number, behind: string | undefined, after: number): Promise<readonly Entry[]>;
  settle(entries: readonly Entry[], settled: readonly SettledEntry[]): Promise<void>;
  refuse(entry: Entry, sqlState: string): Promise<void>;
  /** Says that a bot's outage is over if nothing of it waits any more. */
  endOutage(bot: SpoolBot): Promise<void>;
  /** Outages that are over and not known to be on record. */
  endedOutages(): Promise<readonly EndedOutage[]>;
  /** The outage is on record. */
  forgetOutage(outage: EndedOutage): Promise<void>;
  state(bot: SpoolBot): BufferState;
  readonly damage: Damage | undefined;
};

/** What one take brings, at most. */
const takeMaxBytes = 4 * 1024 * 1024;
/** The ledger's share of the spool: the last fifth is the gate's, whose records are small and matter most. */
const ledgerShare = 0.8;

/** Opens the spool in the folder, which is this process's alone. Throws a StartupError when it cannot be used. */
export async function openSpool(options: {
  readonly folder: string;
  /** Of all records together. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
}): Promise<Spool> {
  const { folder, maxBytes, log } = options;
  const { nowMicros } = options.clock;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await syncFolder(dirname(folder)); // The folder itself must survive a power cut too.
  const worker = new Worker(new URL("./worker.ts", import.meta.url), {
    workerData: folder,
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  const opened = await new Promise<Opened>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  if (opened.kind === "unusable") {
    await worker.terminate();
    throw new StartupError(
      `GOVERNANCE_DATA_DIR: the spool in ${folder} cannot be used (${opened.message}); free its disk, or name another folder`,
    );
  }
  if (opened.damage !== undefined) {
    log.error({ reasonCode: "SPOOL_DAMAGED", page: true, ...opened.damage }, userMessages.SPOOL_DAMAGED);
  }

  const asked = new Map<number, { resolve: (answer: Answer) => void; reject: (cause: Error) => void }>();
  let lastId = 0;
  let ended: Error | undefined;
  worker.on("message", (answer: Answer) => {
    const waiting = asked.get(answer.id);
    asked.delete(answer.id);
    if (answer.kind === "failed") waiting?.reject(new SpoolUnavailable(answer.message));
    else waiting?.resolve(answer);
  });
  const end = (cause: Error) => {
    ended ??= cause;
    for (const { reject } of asked.values()) reject(cause);
    asked.clear();
  };
  worker.on("error", (cause) => end(new SpoolUnavailable("the spool's thread failed", { cause })));
  worker.on("exit", () => end(new SpoolUnavailable("the spool is closed")));

  const counts = createCounts();
  const keys = new Map<number, number>();
  for (const held of opened.held) counts.found(held);
  for (const { key, entries } of opened.keys) keys.set(key, entries);
  /** The bots that a record was refused for last. */
  const refused = new Set<SpoolBot>();

  function ask(question: DistributiveOmit<Ask, "id">): Promise<Answer> {
    if (ended !== undefined) return Promise.reject(ended);
    const id = ++lastId;
    return new Promise((resolve, reject) => {
      asked.set(id, { resolve, reject });
      worker.postMessage({ ...question, id });
    });
  }

  function hold(entry: NewEntry, by: 1 | -1): void {
    for (const key of entry.ownKey === null ? [entry.orderKey] : [entry.orderKey, entry.ownKey]) {
      const count = (keys.get(key) ?? 0) + by;
      if (count > 0) keys.set(key, count);
      else keys.delete(key);
    }
    if (by === 1) counts.add(entry);
    else counts.remove(entry);
  }

  function roomOf(bot: SpoolBot): number {
    const { bytes, refusedBytes } = counts.of(bot);
    return bytes + refusedBytes;
  }

  function refuseFull(entries: readonly NewEntry[]): void {
    const added = entries.reduce((sum, entry) => sum + bytesOf(entry), 0);
    const ofLedger = entries.some((entry) => entry.bot === "gov.useractivityledger");
    const ledger = roomOf("gov.useractivityledger");
    const total = ledger + roomOf("gov.parameterchangeauditor");
    if (total + added <= maxBytes && (!ofLedger || ledger + added <= maxBytes * ledgerShare)) return;
    for (const { bot } of entries) refused.add(bot);
    throw new SpoolUnavailable("the spool is full");
  }

  return {
    damage: opened.damage,
    async append(entries) {
      refuseFull(entries);
      // Held from now on: what follows must not overtake them on their way to the disk.
      for (const entry of entries) hold(entry, 1);
      try {
        await ask({ kind: "append", entries, nowMicros: nowMicros() });
        for (const { bot } of entries) refused.delete(bot);
      } catch (cause) {
        for (const entry of entries) hold(entry, -1);
        for (const bot of spoolBots) refused.add(bot); // It is the disk.
        throw cause;
      }
    },
    get isEmpty() {
      return keys.size === 0;
    },
    holds: (key) => keys.has(key),
    waiting: counts.waiting,
    async take(journal, limit, behind, after) {
      const answer = await ask({ kind: "take", journal, limit, maxBytes: takeMaxBytes, behind, after });
      return answer.kind === "taken" ? answer.entries : [];
    },
    async settle(entries, settled) {
      await ask({ kind: "settle", settled });
      for (const entry of entries) hold(entry, -1);
      refused.clear();
    },
    async refuse(entry, sqlState) {
      await ask({ kind: "refuse", seq: entry.seq, sqlState });
      hold(entry, -1);
      counts.refuse(entry);
    },
    async endOutage(bot) {
      await ask({ kind: "endOutage", bot, nowMicros: nowMicros() });
    },
    async endedOutages() {
      const answer = await ask({ kind: "endedOutages" });
      return answer.kind === "ended" ? answer.outages : [];
    },
    async forgetOutage({ id }) {
      await ask({ kind: "forgetOutage", outageId: id });
    },
    state(bot) {
      const { records, bytes, oldestMicros } = counts.of(bot);
      return { records, bytes, oldestMicros, isTaking: !refused.has(bot) };
    },
    async [Symbol.asyncDispose]() {
      if (ended === undefined) await ask({ kind: "close" }).catch(() => undefined);
      await worker.terminate();
    },
  };
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
