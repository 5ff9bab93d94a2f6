import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { inOrder } from "../../../src/server/inOrder.ts";

const stop = () => new AbortController().signal;

async function* from<T>(items: readonly T[]) {
  for (const item of items) yield item;
}

async function slowly<T>(input: T): Promise<T> {
  await sleep(5);
  return input;
}

async function collected<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of source) all.push(item);
  return all;
}

test("outcomes come in the order of the inputs, however long each takes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(3), { maxLength: 20 }),
      fc.integer({ min: 1, max: 5 }),
      async (delays, underWay) => {
        let begun = 0;
        let most = 0;
        const work = async ([index, delay]: readonly [number, number]) => {
          begun++;
          most = Math.max(most, begun);
          await sleep(delay);
          begun--;
          return index;
        };
        const inputs = delays.map((delay, index) => [index, delay] as const);
        const outcomes = await collected(inOrder(from(inputs), work, { underWay, stop: stop() }));
        expect(outcomes).toEqual(delays.map((_, index) => index));
        expect(most).toBeLessThanOrEqual(underWay);
      },
    ),
    { numRuns: 40 },
  );
});

test("who takes no outcomes is not read from", async () => {
  let read = 0;
  async function* endless() {
    for (;;) yield read++;
  }
  const outcomes = inOrder(endless(), async (input) => input, { underWay: 3, stop: stop() });
  expect((await outcomes.next()).value).toBe(0);
  await sleep(20);
  expect(read).toBeLessThanOrEqual(5);
  await outcomes.return(undefined);
});

test("when the inputs fail, what was begun is still answered, then the failure is thrown", async () => {
  const failure = new Error("from the inputs");
  async function* failing() {
    yield 1;
    yield 2;
    throw failure;
  }
  const seen: number[] = [];
  const reading = (async () => {
    for await (const outcome of inOrder(failing(), slowly, {
      underWay: 8,
      stop: stop(),
    })) {
      seen.push(outcome);
    }
  })();
  await expect(reading).rejects.toBe(failure);
  expect(seen).toEqual([1, 2]);
});

test("when a piece of work fails, the ones before it are answered and the failure is thrown in its turn", async () => {
  const failure = new Error("from the work");
  const seen: number[] = [];
  const work = async (input: number) => {
    if (input === 2) throw failure;
    await sleep(5);
    return input;
  };
  const reading = (async () => {
    for await (const outcome of inOrder(from([1, 2, 3]), work, { underWay: 8, stop: stop() }))
      seen.push(outcome);
  })();
  await expect(reading).rejects.toBe(failure);
  expect(seen).toEqual([1]);
});

test("a reader that waits is freed with the signal's reason", async () => {
  const controller = new AbortController();
  const reason = new Error("superseded");
  const never: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
  };
  const reading = inOrder(never, async (input) => input, { underWay: 2, stop: controller.signal }).next();
  await sleep(5);
  controller.abort(reason);
  await expect(reading).rejects.toBe(reason);
});
