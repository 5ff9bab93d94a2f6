import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { endedOutagesIn, heldIn, keyCountsIn, outagesIn } from "../../../src/journal/spool/look.ts";
import { auditor, entries, entry, ledger, numbers, open, temporaryFolder, waiting } from "./folders.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const flushed = (seq: number) => ({ seq, as: "flushed" }) as const;

test("what was appended is taken in its order, with its place, until it is settled", () => {
  using file = open(folder.path);
  file.append(entries(1, 10), 1);
  file.append(entries(11, 10), 2);
  expect(waiting(file).map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  expect(waiting(file)[4]).toEqual({ ...entry(5), seq: 5 });
  file.settle([1, 2, 3, 7].map(flushed));
  expect(numbers(file)).toEqual([4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  file.append(entries(21, 1), 3);
  expect(waiting(file).at(-1)?.seq).toBe(21);
});

test("a take is bounded in entries and in bytes, and brings one entry at least", () => {
  using file = open(folder.path);
  file.append(entries(1, 9, { journal: "ledger", bot: ledger, body: "x".repeat(100) }), 1);
  const taken = (limit: number, maxBytes: number) => file.take("ledger", limit, maxBytes, undefined).length;
  expect([taken(3, 1e9), taken(100, 250), taken(100, 10), taken(100, 1e9)]).toEqual([3, 2, 1, 9]);
});

test("what has to stay behind another journal is taken when that one's earlier entries are gone", () => {
  using file = open(folder.path);
  const decision = entry(3, { journal: "auditor" });
  const confirmation = entry(6, { journal: "confirmations" });
  file.append([confirmation, decision, confirmation, decision], 1);
  const seqs = () => file.take("confirmations", 10, 1e9, "auditor").map(({ seq }) => seq);
  expect(seqs()).toEqual([1]);
  file.settle([flushed(2)]);
  expect(seqs()).toEqual([1, 3]);
  file.refuse(4, "22000");
  expect(seqs()).toEqual([1, 3]);
});

test("it is the same after it was closed and opened again", () => {
  {
    using file = open(folder.path);
    file.append(entries(1, 12), 1);
    file.settle([flushed(1), { seq: 2, as: "folded" }, { seq: 3, as: "conflicting" }]);
    file.refuse(4, "22000");
  }
  using file = open(folder.path);
  expect(file.damage).toBeUndefined();
  expect(numbers(file)).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
  expect(heldIn(file.db)).toMatchObject([
    { bot: auditor, journal: "auditor", entries: 3, refused: 0, oldestMicros: entry(6).acceptedMicros },
    { bot: ledger, journal: "ledger", entries: 5, refused: 1, oldestMicros: entry(5).acceptedMicros },
  ]);
  expect(outagesIn(file.db)).toMatchObject([
    { bot: auditor, buffered: 4, flushed: 0, folded: 0, conflicting: 1, refused: 0, lost: 0 },
    { bot: ledger, buffered: 8, flushed: 1, folded: 1, conflicting: 0, refused: 1, lost: 0 },
  ]);
  const keys = keyCountsIn(file.db).reduce((sum, { entries }) => sum + entries, 0);
  expect(keys).toBe(8 + 3);
});

test("bytes are those of UTF-8", () => {
  using file = open(folder.path);
  file.append([entry(1, { body: "é€😀" })], 1);
  expect(heldIn(file.db)[0]?.bytes).toBe(9);
});

test("each bot has its own outage, which ends when nothing of it waits", () => {
  using file = open(folder.path);
  file.append([entry(1), entry(3)], 100);
  file.append([entry(2)], 200);
  file.endOutage(ledger, 300);
  file.settle([1, 3].map(flushed));
  expect(endedOutagesIn(file.db)).toEqual([]);
  file.endOutage(ledger, 400);
  file.endOutage(auditor, 400);
  const [ended] = endedOutagesIn(file.db);
  expect(endedOutagesIn(file.db)).toHaveLength(1);
  expect(ended).toMatchObject({ bot: ledger, sinceMicros: 100, untilMicros: 400, buffered: 2, flushed: 2 });
  file.append([entry(4)], 500);
  expect(outagesIn(file.db).find(({ bot }) => bot === ledger)).toMatchObject({
    sinceMicros: 500,
    buffered: 1,
  });
  file.forgetOutage(ended?.id ?? "");
  expect(endedOutagesIn(file.db)).toEqual([]);
});

test("what was refused stays, is not taken, ends no outage's wait, and can wait again", () => {
  {
    using file = open(folder.path);
    file.append(entries(1, 3, { bot: ledger, journal: "ledger" }), 1);
    file.refuse(2, "22000");
    expect(() => file.refuse(2, "22000")).toThrow("does not wait");
    file.settle([1, 3].map(flushed));
    file.endOutage(ledger, 2);
    expect(endedOutagesIn(file.db)).toMatchObject([{ buffered: 3, flushed: 2, refused: 1 }]);
    expect(file.retry(3)).toBe(1);
    expect(numbers(file)).toEqual([2]);
  }
  using file = open(folder.path);
  expect(file.damage).toBeUndefined();
  expect([numbers(file), file.retry(4)]).toEqual([[2], 0]);
  expect(outagesIn(file.db)).toMatchObject([{ buffered: 1, refused: 0 }]);
});

test("an append that fails keeps nothing of it, and the next one is as if it had not been", () => {
  using file = open(folder.path);
  file.append(entries(1, 2), 1);
  const broken = Object.assign({ ...entry(4) }, { body: null });
  expect(() => file.append([entry(3), broken as never], 2)).toThrow();
  file.append(entries(5, 1), 3);
  expect(waiting(file).map(({ seq }) => seq)).toEqual([1, 2, 3]);
  expect(numbers(file)).toEqual([1, 2, 5]);
});

test("a full disk refuses what does not fit, keeps what was taken, and room that drains is room again", () => {
  {
    using file = open(folder.path);
    file.db.exec("pragma max_page_count = 40");
    const big = { bot: ledger, journal: "ledger", body: JSON.stringify("x".repeat(2_000)) };
    let taken = 0;
    expect(() => {
      for (; taken < 100; taken++) file.append([entry(taken, big)], 1);
    }).toThrow("database or disk is full");
    expect(waiting(file)).toHaveLength(taken);
    file.settle(
      waiting(file)
        .slice(0, 10)
        .map(({ seq }) => flushed(seq)),
    );
    file.append(entries(1, 5, big), 2);
    expect(waiting(file)).toHaveLength(taken - 5);
  }
  using file = open(folder.path);
  expect(file.damage).toBeUndefined();
});

test("one that cannot be looked into now is left as it is: that is no damage", () => {
  {
    using file = open(folder.path);
    file.append(entries(1, 5), 1);
  }
  const other = new DatabaseSync(`${folder.path}/spool.db`);
  other.exec("pragma locking_mode = exclusive; begin exclusive");
  expect(() => open(folder.path)).toThrow("locked");
  other.close();
  expect(readdirSync(folder.path)).not.toContain("quarantine");
  using file = open(folder.path);
  expect([file.damage, numbers(file)]).toEqual([undefined, [1, 2, 3, 4, 5]]);
});

test("settling what is not there changes nothing", () => {
  using file = open(folder.path);
  file.append(entries(1, 3), 1);
  expect(() => file.settle([flushed(1), flushed(99)])).toThrow("not in the spool");
  expect(numbers(file)).toEqual([1, 2, 3]);
});

test("drained records leave no bytes behind, also beside one that was refused and while the other bot waits", () => {
  using file = open(folder.path);
  const secret = "deadbeefcafe0011";
  const own = { bot: ledger, journal: "ledger" };
  file.append(entries(1, 300, { ...own, body: `"${secret.repeat(100)}"` }), 1);
  file.append([entry(301, { ...own, body: "refused" }), entry(3)], 1);
  file.refuse(301, "22000");
  expect(filesWith(secret)).not.toEqual([]);
  for (let first = 1; first < 300; first += 30) {
    file.settle(Array.from({ length: 30 }, (_, i) => flushed(first + i)));
  }
  expect(filesWith(secret)).toEqual([]);
});

test("a reader that is in the way of that puts it off to the outage's end", () => {
  using file = open(folder.path);
  file.append([entry(1, { body: '"deadbeef"' })], 1);
  const reader = new DatabaseSync(`${folder.path}/spool.db`, { readOnly: true });
  reader.exec("begin");
  expect(reader.prepare("select body from entry").all()).toHaveLength(1);
  file.settle([flushed(1)]);
  expect(filesWith("deadbeef")).not.toEqual([]);
  reader.close();
  file.endOutage(ledger, 2);
  expect(filesWith("deadbeef")).toEqual([]);
});

/** By another process: reading here would drop SQLite's locks. */
function filesWith(text: string): string[] {
  const script = 'grep -rl --binary-files=text "$1" "$0" || true';
  return execFileSync("sh", ["-c", script, folder.path, text]).toString().split("\n").filter(Boolean);
}
