import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createFairQueue } from "../../../src/server/fairQueue.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const waitAtMostMs = 200;

/** A queue, and the names of the calls in the order in which they began. */
function watched(maxInFlight: number) {
  const queue = createFairQueue({ maxInFlight, waitAtMostMs });
  const begun: string[] = [];
  let placed = 0;
  return {
    queue,
    begun,
    /** How many calls have had a place. */
    placed: () => placed,
    /** Calls as the pipeline does; answers how to give up. */
    call(subject: string, name: string): () => void {
      const begin = (hasPlace: boolean) => {
        if (hasPlace) placed++;
        begun.push(name);
      };
      if (!queue.enter()) return queue.wait(subject, begin);
      begin(true);
      return () => undefined;
    },
  };
}

test("as many calls as there are places begin at once, and each that leaves lets one begin", () => {
  const { queue, begun, call } = watched(2);
  for (const name of ["a1", "a2", "a3", "a4"]) call("a", name);
  expect(begun).toEqual(["a1", "a2"]);
  queue.leave();
  expect(begun).toEqual(["a1", "a2", "a3"]);
  queue.leave();
  queue.leave();
  expect(begun).toEqual(["a1", "a2", "a3", "a4"]);
  queue.leave();
  queue.leave();
  call("b", "b1");
  expect(begun.at(-1)).toBe("b1");
});

test("turns go round by subject, however many of one wait", () => {
  const { queue, begun, call } = watched(1);
  for (let i = 0; i < 1_000; i++) call("flood", `f${i}`);
  call("b", "b0");
  call("c", "c0");
  call("b", "b1");
  for (let i = 0; i < 7; i++) queue.leave();
  expect(begun).toEqual(["f0", "f1", "b0", "c0", "f2", "b1", "f3", "f4"]);
});

test("a call that has waited for as long as it may begins over the bound, and takes nobody's place", () => {
  const { queue, begun, call } = watched(1);
  call("a", "a1");
  call("a", "a2");
  vi.advanceTimersByTime(waitAtMostMs - 1);
  call("a", "a3");
  expect(begun).toEqual(["a1"]);
  vi.advanceTimersByTime(1);
  expect(begun).toEqual(["a1", "a2"]);
  queue.leave(); // The first one's.
  expect(begun).toEqual(["a1", "a2", "a3"]);
});

test("a call that gave up is passed over, and takes no place", () => {
  const { queue, begun, call } = watched(1);
  call("a", "a1");
  const giveUp = call("a", "a2");
  const giveUpToo = call("b", "b1");
  call("a", "a3");
  giveUp();
  giveUpToo();
  queue.leave();
  expect(begun).toEqual(["a1", "a3"]);
  giveUp();
  queue.leave();
  call("c", "c1");
  expect(begun).toEqual(["a1", "a3", "c1"]);
  expect(vi.getTimerCount()).toBe(0);
});

test("whatever happens, no call is lost or begun twice, and those of a subject begin in their order", () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("call"), subject: fc.constantFrom("a", "b", "c") }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("leave"), subject: fc.constant("") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("give up"), subject: fc.constant("") }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("time"), subject: fc.constant("") }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (steps, places) => {
      const { queue, begun, placed, call } = watched(places);
      const sent: string[] = [];
      const gone = new Set<string>();
      const giveUps = new Map<string, () => void>();
      let left = 0;
      for (const { kind, subject } of steps) {
        if (kind === "call") {
          const name = `${subject}${sent.length}`;
          sent.push(name);
          giveUps.set(name, call(subject, name));
        } else if (kind === "leave" && left < placed()) {
          left++;
          queue.leave();
        } else if (kind === "give up") {
          const name = sent.find((one) => !begun.includes(one) && !gone.has(one));
          if (name === undefined) continue;
          gone.add(name);
          giveUps.get(name)?.();
        } else if (kind === "time") {
          vi.advanceTimersByTime(waitAtMostMs / 2);
        }
        const waits = sent.length - gone.size - begun.length;
        expect(placed() - left).toBeLessThanOrEqual(places);
        if (waits > 0) expect(placed() - left).toBe(places);
      }
      vi.advanceTimersByTime(waitAtMostMs);
      expect([...begun, ...gone].toSorted()).toEqual(sent.toSorted());
      for (const subject of ["a", "b", "c"]) {
        const own = (names: string[]) => names.filter((name) => name.startsWith(subject) && !gone.has(name));
        expect(own(begun)).toEqual(own(sent));
      }
    }),
  );
});
