import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createLane, type Lane } from "../../../src/journal/lane.ts";

type Commit = {
  readonly rows: readonly string[];
  finish(outcomes?: readonly string[]): void;
  fail(cause: unknown): void;
};

/** A lane whose commits end when the test says so. */
function laneWithCommits(
  maxRows = 100,
  underWay = 1,
): { lane: Lane<string, string>; commits: Commit[]; nextCommit(): Promise<Commit> } {
  const commits: Commit[] = [];
  const lane = createLane<string, string>({
    maxRows,
    underWay,
    isRefusal: (cause) => cause instanceof RangeError,
    commit: (rows) =>
      new Promise((resolve, reject) => {
        commits.push({
          rows,
          finish: (outcomes = rows.map((row) => `${row} done`)) => resolve(outcomes),
          fail: reject,
        });
      }),
  });
  let seen = 0;
  return {
    lane,
    commits,
    async nextCommit() {
      for (;;) {
        const commit = commits[seen];
        if (commit !== undefined) {
          seen++;
          return commit;
        }
        await sleep(1);
      }
    },
  };
}

test("a lone append is committed at once, by itself", async () => {
  const { lane, nextCommit } = laneWithCommits();
  const answer = lane.append(["a", "b"]);
  const commit = await nextCommit();
  expect(commit.rows).toEqual(["a", "b"]);
  commit.finish();
  expect(await answer).toEqual(["a done", "b done"]);
});

test("what arrives while a batch is committed goes into the next one, in order", async () => {
  const { lane, commits, nextCommit } = laneWithCommits();
  const answers = [lane.append(["a"])];
  const first = await nextCommit();
  answers.push(lane.append(["b"]), lane.append(["c", "d"]));
  await sleep(5);
  answers.push(lane.append(["e"]));
  await sleep(5);
  expect(commits, "one commit at a time").toHaveLength(1);
  first.finish();
  const second = await nextCommit();
  expect(second.rows).toEqual(["b", "c", "d", "e"]);
  second.finish();
  expect(await Promise.all(answers)).toEqual([["a done"], ["b done"], ["c done", "d done"], ["e done"]]);
});

test("an append is answered with the outcomes of its own rows", async () => {
  const { lane, nextCommit } = laneWithCommits();
  const answers = [lane.append(["a"]), lane.append(["b", "c"]), lane.append([]), lane.append(["d"])];
  (await nextCommit()).finish(["1", "2", "3", "4"]);
  expect(await Promise.all(answers)).toEqual([["1"], ["2", "3"], [], ["4"]]);
});

test("a batch has at most maxRows rows, and an append is never split over two", async () => {
  const { lane, nextCommit } = laneWithCommits(4);
  const answers = [["a", "b", "c"], ["d", "e"], ["f", "g"], ["h", "i", "j", "k", "l", "m"], ["n"]].map(
    (rows) => lane.append(rows),
  );
  for (const expected of ["abc", "defg", "hijklm", "n"]) {
    const commit = await nextCommit();
    expect(commit.rows.join("")).toBe(expected);
    commit.finish();
  }
  await Promise.all(answers);
});

test("a failure reaches exactly the callers of its batch, with its cause", async () => {
  const { lane, nextCommit } = laneWithCommits(2);
  const answers = Promise.allSettled([
    lane.append(["a"]),
    lane.append(["b"]),
    lane.append(["c", "d"]),
    lane.append(["e"]),
  ]);
  const cause = new Error("the disk is full");
  (await nextCommit()).finish();
  (await nextCommit()).fail(cause);
  (await nextCommit()).finish();
  expect(await answers).toEqual([
    { status: "fulfilled", value: ["a done"] },
    { status: "fulfilled", value: ["b done"] },
    { status: "rejected", reason: cause },
    { status: "fulfilled", value: ["e done"] },
  ]);
});

test("what one of a batch is refused for reaches its caller alone: each append is tried again by itself, in order", async () => {
  const { lane, commits, nextCommit } = laneWithCommits(4);
  const answers = Promise.allSettled([
    lane.append(["a"]),
    lane.append(["poison", "b"]),
    lane.append(["c"]),
    lane.append(["d"]),
  ]);
  const refusal = new RangeError("not this one");
  (await nextCommit()).fail(refusal);
  for (const expected of [["a"], ["poison", "b"], ["c"]]) {
    const commit = await nextCommit();
    expect(commit.rows).toEqual(expected);
    if (expected.includes("poison")) commit.fail(refusal);
    else commit.finish();
  }
  (await nextCommit()).finish();
  expect(await answers).toEqual([
    { status: "fulfilled", value: ["a done"] },
    { status: "rejected", reason: refusal },
    { status: "fulfilled", value: ["c done"] },
    { status: "fulfilled", value: ["d done"] },
  ]);
  expect(commits).toHaveLength(5);
  expect(lane.depth).toBe(0);
});

test("no more commits than allowed are under way at a time, and they begin in order", async () => {
  const { lane, commits, nextCommit } = laneWithCommits(2, 2);
  const answers = ["a", "b", "c", "d", "e", "f", "g"].map((row) => lane.append([row]));
  const first = await nextCommit();
  answers.push(lane.append(["h"]));
  const second = await nextCommit();
  await sleep(5);
  expect(commits.map((commit) => commit.rows.join(""))).toEqual(["ab", "cd"]);
  second.finish();
  const third = await nextCommit();
  first.finish();
  expect(third.rows).toEqual(["e", "f"]);
  third.finish();
  (await nextCommit()).finish();
  expect((await Promise.all(answers)).flat()).toEqual([..."abcdefgh"].map((row) => `${row} done`));
});

test("its depth counts what waits and what is under way, and it is idle when both are none", async () => {
  const { lane, nextCommit } = laneWithCommits();
  await lane.idle();
  const answers = [lane.append(["a", "b"])];
  const first = await nextCommit();
  answers.push(lane.append(["c"]));
  expect(lane.depth).toBe(3);
  let isIdle = false;
  const idle = lane.idle().then(() => {
    isIdle = true;
  });
  first.finish();
  await answers[0];
  await sleep(5);
  expect([lane.depth, isIdle]).toEqual([1, false]);
  (await nextCommit()).finish();
  await idle;
  await Promise.all(answers);
  expect(lane.depth).toBe(0);
});

test("whatever arrives when, and whatever fails: order is kept and each append is answered once, for itself", async () => {
  const step = fc.record({ rows: fc.integer({ min: 1, max: 5 }), pauseMs: fc.constantFrom(undefined, 0, 1) });
  const steps = fc.array(step, { minLength: 1, maxLength: 30 });
  const failing = fc.uniqueArray(fc.nat({ max: 8 }), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(
      steps,
      failing,
      fc.integer({ min: 1, max: 8 }),
      async (appends, failingCommits, maxRows) => {
        const committed: string[][] = [];
        let commits = 0;
        const lane = createLane<string, string>({
          maxRows,
          underWay: 1,
          isRefusal: () => false,
          async commit(rows) {
            const nth = commits++;
            committed.push([...rows]);
            await sleep(0);
            if (failingCommits.includes(nth)) throw new Error(`commit ${nth}`);
            return rows.map((row) => `${row}!`);
          },
        });
        const answers: Promise<string>[] = [];
        for (const [index, { rows, pauseMs }] of appends.entries()) {
          const names = Array.from({ length: rows }, (_, i) => `${index}.${i}`);
          answers.push(lane.append(names).then(String, (cause: unknown) => String(cause)));
          if (pauseMs !== undefined) await sleep(pauseMs);
        }
        const answered = await Promise.all(answers);

        const all = appends.flatMap(({ rows }, index) =>
          Array.from({ length: rows }, (_, i) => `${index}.${i}`),
        );
        expect(committed.flat()).toEqual(all);
        for (const [index, { rows }] of appends.entries()) {
          const nth = committed.findIndex((batch) => batch.includes(`${index}.0`));
          expect(committed[nth]).toContain(`${index}.${rows - 1}`);
          const own = Array.from({ length: rows }, (_, i) => `${index}.${i}!`).join(",");
          expect(answered[index]).toBe(failingCommits.includes(nth) ? `Error: commit ${nth}` : own);
        }
        for (const batch of committed) {
          const isLongAppend = batch.every((row) => row.split(".")[0] === batch[0]?.split(".")[0]);
          expect(batch.length <= maxRows || isLongAppend).toBe(true);
        }
      },
    ),
    { numRuns: 40 },
  );
});

test("with a key, no row leaves while one with its key is under way; others do not wait for it", async () => {
  const commits: { rows: readonly string[]; finish: () => void }[] = [];
  const lane = createLane<string, string>({
    maxRows: 100,
    underWay: 2,
    isRefusal: () => false,
    keyOf: (row) => row.charCodeAt(0),
    commit: (rows) =>
      new Promise((resolve) => {
        commits.push({ rows, finish: () => resolve(rows) });
      }),
  });
  const answers = [lane.append(["a1"])];
  await expect.poll(() => commits.length).toBe(1);
  answers.push(lane.append(["b1"]), lane.append(["a2"]), lane.append(["c1"]));
  await expect.poll(() => commits.length).toBe(2);
  expect(commits[1]?.rows).toEqual(["b1"]);
  await sleep(20);
  expect(commits).toHaveLength(2);
  commits[0]?.finish();
  await expect.poll(() => commits.length).toBe(3);
  expect(commits[2]?.rows).toEqual(["a2", "c1"]);
  for (const { finish } of commits) finish();
  expect(await Promise.all(answers)).toEqual([["a1"], ["b1"], ["a2"], ["c1"]]);
});
