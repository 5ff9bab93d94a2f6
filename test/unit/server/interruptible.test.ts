import { expect, test } from "vitest";
import { interruptible } from "../../../src/server/interruptible.ts";

async function* count(to: number, ended: () => void) {
  try {
    for (let i = 1; i <= to; i++) yield i;
  } finally {
    ended();
  }
}

async function collected<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of source) all.push(item);
  return all;
}

test("what is not interrupted passes as it is, and its source is ended once", async () => {
  let ends = 0;
  const { items } = interruptible(count(3, () => ends++));
  expect(await collected(items)).toEqual([1, 2, 3]);
  expect(ends).toBe(1);
});

test("a source's failure passes as it is", async () => {
  const failure = new Error("from the source");
  async function* failing() {
    yield 1;
    throw failure;
  }
  await expect(collected(interruptible(failing()).items)).rejects.toBe(failure);
});

test("a reader that waits for a source that never answers is freed", async () => {
  const cause = new Error("interrupted");
  const never: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
  };
  const { items, interrupt } = interruptible(never);
  const reading = items.next();
  interrupt(cause);
  await expect(reading).rejects.toBe(cause);
  expect(await items.next()).toEqual({ done: true, value: undefined });
});

test("interrupted between two items, the next one is not read, and the first cause counts", async () => {
  const cause = new Error("first");
  let ends = 0;
  const { items, interrupt } = interruptible(count(3, () => ends++));
  expect(await items.next()).toEqual({ done: false, value: 1 });
  interrupt(cause);
  interrupt(new Error("second"));
  await expect(items.next()).rejects.toBe(cause);
  await expect.poll(() => ends).toBe(1);
});

test("interrupted before the first item, the source is not read at all", async () => {
  const { items, interrupt } = interruptible(count(3, () => undefined));
  interrupt("no");
  await expect(items.next()).rejects.toBe("no");
});

test("a reader that leaves waits for its source to end", async () => {
  let ended = false;
  async function* slowToEnd() {
    try {
      yield 1;
    } finally {
      await new Promise((resolve) => setTimeout(resolve, 10));
      ended = true;
    }
  }
  for await (const _ of interruptible(slowToEnd()).items) break;
  expect(ended).toBe(true);
});

test("a source that fails after it was interrupted disturbs nobody", async () => {
  const late = Promise.withResolvers<IteratorResult<number>>();
  const source: AsyncIterable<number> = { [Symbol.asyncIterator]: () => ({ next: () => late.promise }) };
  const { items, interrupt } = interruptible(source);
  const reading = items.next();
  interrupt("gone");
  await expect(reading).rejects.toBe("gone");
  late.reject(new Error("too late")); // As an unhandled rejection it would fail the whole run.
  await new Promise((resolve) => setTimeout(resolve, 5));
});
