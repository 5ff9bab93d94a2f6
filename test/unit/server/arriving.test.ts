import { expect, test, vi } from "vitest";
import { createArriving } from "../../../src/server/arriving.ts";

const large = 64 * 1024;

function begin(arriving: ReturnType<typeof createArriving>, bytes: number) {
  const refused: string[] = [];
  const request = arriving.begun((why) => refused.push(why));
  request.came(bytes);
  return { ...request, refused };
}

test("over the bound the oldest large request goes, and no other", () => {
  using arriving = createArriving({ arrivingMaxBytes: 3 * large, requestWithinMs: 60_000 });
  const small = begin(arriving, 100);
  const oldest = begin(arriving, large);
  const older = begin(arriving, large);
  const newest = begin(arriving, large);
  expect([small, oldest, older, newest].map((one) => one.refused)).toEqual([[], ["too much"], [], []]);
  newest.came(large);
  expect(older.refused).toEqual(["too much"]);
});

test("what has come whole holds nothing any more", () => {
  using arriving = createArriving({ arrivingMaxBytes: 2 * large, requestWithinMs: 60_000 });
  for (let i = 0; i < 100; i++) {
    const request = begin(arriving, 2 * large);
    request.done();
    request.done();
    request.came(large); // It is over: nothing is counted twice.
    expect(request.refused).toEqual([]);
  }
});

test("a request that does not come whole in time is refused once", () => {
  vi.useFakeTimers();
  try {
    using arriving = createArriving({ arrivingMaxBytes: large, requestWithinMs: 1000 });
    const late = begin(arriving, 1);
    vi.advanceTimersByTime(900);
    const onTime = begin(arriving, 1);
    vi.advanceTimersByTime(400);
    expect([late.refused, onTime.refused]).toEqual([["too late"], []]);
    onTime.done();
    vi.advanceTimersByTime(5000);
    expect([late.refused, onTime.refused]).toEqual([["too late"], []]);
  } finally {
    vi.useRealTimers();
  }
});
