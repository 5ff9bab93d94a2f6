import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import { expect, test } from "vitest";
import { ResendQueue } from "../../../src/cli/replay/resendQueue.ts";

/** A source whose items come when the test says so. */
function source<T>() {
  const gates: PromiseWithResolvers<IteratorResult<T>>[] = [];
  let asked = 0;
  let given = 0;
  function gate(i: number) {
    gates[i] ??= Promise.withResolvers<IteratorResult<T>>();
    return gates[i];
  }
  return {
    items: { [Symbol.asyncIterator]: () => ({ next: () => gate(asked++).promise }) },
    give: (...items: T[]) => {
      for (const value of items) gate(given++).resolve({ value, done: false });
    },
    end: () => gate(given++).resolve({ value: undefined, done: true }),
    fail: (cause: Error) => gate(given++).reject(cause),
  };
}
/** Reads a turn in the background. */
function read<T>(items: AsyncGenerator<T>): { got: T[]; ended: Promise<void> } {
  const got: T[] = [];
  const ended = (async () => {
    for await (const item of items) got.push(item);
  })();
  return { got, ended };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await turnOfTheLoop();
}

test("no more than the limit is taken before something is acknowledged", async () => {
  const from = source<string>();
  const queue = new ResendQueue(from.items, 2);
  from.give("a", "b", "c");
  using turn = queue.turn();
  const { got } = read(turn.items());
  await settle();
  expect(got).toEqual(["a", "b"]);
  expect(queue.acknowledge()).toBe("a");
  await settle();
  expect(got).toEqual(["a", "b", "c"]);
});

test("a new turn begins with what was not acknowledged, in its order", async () => {
  const from = source<string>();
  const queue = new ResendQueue(from.items, 8);
  from.give("a", "b", "c");
  {
    using turn = queue.turn();
    read(turn.items());
    await settle();
    queue.acknowledge();
  }
  from.give("d");
  from.end();
  using turn = queue.turn();
  const { got, ended } = read(turn.items());
  await ended;
  expect(got).toEqual(["b", "c", "d"]);
  expect(queue.isDone).toBe(false);
  for (const item of ["b", "c", "d"]) expect(queue.acknowledge()).toBe(item);
  expect(queue.isDone).toBe(true);
});

test("an item that comes when its turn is over belongs to the next turn, which sends it once", async () => {
  const from = source<string>();
  const queue = new ResendQueue(from.items, 8);
  {
    using turn = queue.turn();
    read(turn.items());
    await settle(); // It waits for the first item.
  }
  using turn = queue.turn();
  const { got, ended } = read(turn.items());
  from.give("a", "b");
  from.end();
  await ended;
  expect(got).toEqual(["a", "b"]);
  expect([queue.acknowledge(), queue.acknowledge()]).toEqual(["a", "b"]);
  expect(queue.isDone).toBe(true);
});

test("a source that fails ends the turn behind what came before, and tells once all is acknowledged", async () => {
  const from = source<string>();
  const queue = new ResendQueue(from.items, 8);
  from.give("a");
  from.fail(new Error("unreadable"));
  using turn = queue.turn();
  const { got, ended } = read(turn.items());
  await ended;
  expect(got).toEqual(["a"]);
  queue.acknowledge();
  expect(() => queue.isDone).toThrow("unreadable");
});
