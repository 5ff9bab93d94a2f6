import type { Http2Session } from "node:http2";
import { types } from "node:util";
import v8 from "node:v8";

/**
 * A call is over within milliseconds, and what it left behind costs nothing as long as V8's collector of young objects
 * finds it dead: it copies what lives. Two things made it find most calls alive, copy them for 10 ms at a time, and
 * move them to the old generation:
 * - A table of a Map or Set that is replaced by a larger or smaller one points to that. Once one is old, though dead,
 *   all that follow are held by it, each with what it contained: node:http2 has each stream in such a table.
 * - V8 notices that so many live, and makes their kind old from the beginning: from then on it is so for good.
 */

/** Objects are made young, whatever became of earlier ones. */
export function makeAllYoung(): void {
  v8.setFlagsFromString("--no-allocation-site-pretenuring");
}

type Each<T> = (value: T) => void;

/** What node:http2 asks of the Map of its streams. */
class Streams<T> {
  #byId: Record<number, T> = Object.create(null);
  size = 0;

  get(id: number): T | undefined {
    return this.#byId[id];
  }

  set(id: number, stream: T): void {
    if (!(id in this.#byId)) this.size++;
    this.#byId[id] = stream;
  }

  delete(id: number): void {
    if (!(id in this.#byId)) return;
    this.size--;
    delete this.#byId[id];
  }

  forEach(each: Each<T>): void {
    for (const stream of Object.values(this.#byId)) each(stream);
  }
}

/** What it asks of the Set of those that have no id yet: a server's have one at once. */
class PendingStreams<T> {
  #streams: T[] = [];

  get size(): number {
    return this.#streams.length;
  }

  add(stream: T): void {
    this.#streams.push(stream);
  }

  delete(stream: T): void {
    const at = this.#streams.lastIndexOf(stream);
    if (at >= 0) this.#streams.splice(at, 1);
  }

  forEach(each: Each<T>): void {
    for (const stream of [...this.#streams]) each(stream);
  }
}

/**
 * Gives a new session tables that point to no others. They are node:http2's own affair: where it keeps them elsewhere
 * by now, the session stays as it is. Answers whether it was done.
 */
export function replaceTables(session: Http2Session): boolean {
  const key = Object.getOwnPropertySymbols(session).find(({ description }) => description === "state");
  const state: unknown = key && Reflect.get(session, key);
  if (typeof state !== "object" || state === null) return false;
  const streams: unknown = Reflect.get(state, "streams");
  const pending: unknown = Reflect.get(state, "pendingStreams");
  if (!types.isMap(streams) || streams.size > 0 || !types.isSet(pending) || pending.size > 0) return false;
  Object.assign(state, { streams: new Streams(), pendingStreams: new PendingStreams() });
  return true;
}
