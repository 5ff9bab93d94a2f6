import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Journal, openJournal } from "../disk/journal.ts";
import { isRefusal, NotKeptError, noVerdictCause } from "../errors.ts";
import type { Log } from "../log.ts";
import { createBackoff, createCondition } from "../waiting.ts";
import { type Auditor, deliver } from "./deliver.ts";
import { type Entry, entryFromBytes, entryToBytes, type Kept } from "./entry.ts";

/** Keeps entries on disk until the service has them. */
export type Outbox = {
  /** Keeps an entry, and resolves to its key when it is on disk. `isHeld`: it is not delivered before `replace`. */
  put(entry: Entry, isHeld?: boolean): Promise<number>;
  /** Puts another entry in its place, no longer held. */
  replace(key: number, entry: Entry): Promise<void>;
  /** Keeps aside what the service will never take. */
  putAside(entry: Entry, refusal: string): Promise<void>;
  pending(): number;
  refused(): Promise<readonly Kept[]>;
  flush(signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
};

/** Below this the file is not worth writing anew. */
const compactFromBytes = 1024 * 1024;
/** A decision that the service has only buffered is found once it is in its database. */
const foundWithinMs = 24 * 60 * 60 * 1_000;

export async function openOutbox(folder: string, auditor: Auditor, log: Log): Promise<Outbox> {
  /** Where the entries are; those that are held are not delivered. */
  const places = new Map<number, number>();
  const held = new Set<number>();
  const aside = new Set<number>();
  let lastKey = 0;
  let liveBytes = 0;
  const sizes = new Map<number, number>();
  const stop = new AbortController();
  const condition = createCondition();
  let pokes = 0;

  const journal: Journal = await openJournal(
    join(folder, "writes.log"),
    log,
    ({ number, record, position }) => settled(number, record, position),
  );
  const running = deliverAll();

  /** An empty record takes an entry out. */
  function settled(key: number, record: Uint8Array, position: number): void {
    lastKey = Math.max(lastKey, key);
    liveBytes += record.length - (sizes.get(key) ?? 0);
    places.delete(key);
    sizes.delete(key);
    aside.delete(key);
    if (record.length === 0) return;
    places.set(key, position);
    sizes.set(key, record.length);
    if (entryFromBytes(record).refusal !== undefined) aside.add(key);
  }

  async function keep(key: number, record: Uint8Array): Promise<void> {
    const [position] = await journal.append([{ number: key, record }]);
    if (position === undefined) throw new Error("nothing was appended");
    settled(key, record, position);
  }

  function poke(): void {
    pokes++;
    condition.changed();
  }

  async function put(entry: Entry, isHeld: boolean, refusal?: string): Promise<number> {
    const key = ++lastKey;
    if (isHeld) held.add(key);
    try {
      await keep(key, entryToBytes(entry, refusal));
    } catch (cause) {
      held.delete(key);
      throw new NotKeptError("this machine cannot keep what the service was not told of a write", { cause });
    }
    poke();
    return key;
  }

  function waitingKeys(): number[] {
    return [...places.keys()].filter((key) => !aside.has(key)).sort((a, b) => a - b);
  }

  /** Delivers entries in order, again and again until it is closed. */
  async function deliverAll(): Promise<void> {
    const pause = createBackoff();
    while (!stop.signal.aborted) {
      const seen = pokes;
      if (await deliverRound()) {
        pause.reset();
        await condition.until(() => pokes > seen, stop.signal).catch(() => {});
      } else {
        await pause.wait(stop.signal);
      }
    }
  }

  /** Tries each entry once; false when one has to be tried again. */
  async function deliverRound(): Promise<boolean> {
    let isClear = true;
    try {
      for (const key of waitingKeys()) {
        if (held.has(key)) continue;
        const result = await deliverOne(key);
        if (stop.signal.aborted || result === "away") return false;
        isClear &&= result === "done";
      }
      await compactWhenWorth();
    } catch (cause) {
      log.error(`what is kept for the service cannot be read or written: ${String(cause)}`);
      return false;
    }
    return isClear;
  }

  /** "away": the next would only wait for the same. */
  async function deliverOne(key: number): Promise<"done" | "later" | "away"> {
    const { entry } = entryFromBytes((await journal.read(() => places.get(key) ?? -1)).record);
    try {
      await deliver(auditor, entry, stop.signal);
      await takeOut(key, new Uint8Array());
      return "done";
    } catch (cause) {
      if (!(cause instanceof ConnectError)) throw cause;
      if (isRefusal(cause) || isTooLate(cause, entry)) {
        log.error(
          `the service refuses what it was told of a write; it is kept aside (${entry.kind}): ${cause.message}`,
        );
        await takeOut(key, entryToBytes(entry, cause.message));
        return "done";
      }
      log.debug(`not delivered yet (${entry.kind}): ${cause.message}`);
      const why = noVerdictCause(cause);
      return why === "UNAVAILABLE" || why === "DEADLINE_EXCEEDED" ? "away" : "later";
    }
  }

  async function takeOut(key: number, record: Uint8Array): Promise<void> {
    await keep(key, record);
    condition.changed();
  }

  async function compactWhenWorth(): Promise<void> {
    if (journal.size() < compactFromBytes || liveBytes > journal.size() / 2) return;
    let keys: number[] = [];
    await journal.compact(
      () => {
        keys = [...places.keys()];
        return keys.map((key) => places.get(key) ?? -1);
      },
      (positions) => {
        for (const [index, key] of keys.entries()) places.set(key, positions[index] ?? -1);
      },
    );
  }

  return {
    put: (entry, isHeld = false) => put(entry, isHeld),
    async replace(key, entry) {
      try {
        await keep(key, entryToBytes(entry));
      } finally {
        held.delete(key);
        poke();
      }
    },
    async putAside(entry, refusal) {
      await put(entry, false, refusal);
    },
    pending: () => places.size - aside.size,
    async refused() {
      const keys = [...aside].sort((a, b) => a - b);
      return Promise.all(
        keys.map(async (key) => entryFromBytes((await journal.read(() => places.get(key) ?? -1)).record)),
      );
    },
    async flush(signal) {
      poke();
      await condition.until(() => places.size === aside.size, signal);
    },
    async close() {
      stop.abort();
      await running;
      await journal.close();
    },
  };
}

function isTooLate(cause: ConnectError, entry: Entry): boolean {
  return cause.code === Code.NotFound && Date.now() - entry.at.getTime() > foundWithinMs;
}
