import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { entries, numbers, open, temporaryFolder } from "./folders.ts";

/** What the disk holds at a moment, and what was acknowledged by then and has not left. */
type Moment = {
  readonly db: Buffer;
  readonly log: Buffer;
  readonly counts: Buffer;
  readonly held: readonly number[];
};

const pageBytes = 4096;
const sectorBytes = 512;

/** Minstd: the same numbers in each run. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

/** A spool's life, with what is on the disk after each step: everything that was synced. */
function life(): Moment[] {
  using folder = temporaryFolder();
  using file = open(folder.path);
  // Moves the log into the file every few batches, as it does every thousand pages.
  file.db.exec("pragma wal_autocheckpoint = 24");
  const read = (name: string) => readFileSync(join(folder.path, name));
  const moments: Moment[] = [];
  const note = () =>
    moments.push({
      db: read("spool.db"),
      log: read("spool.db-wal"),
      counts: read("acknowledged"),
      held: numbers(file),
    });
  note();
  let n = 1;
  for (let step = 0; step < 30; step++) {
    const count = 1 + ((step * 7) % 23);
    file.append(entries(n, count), 1);
    n += count;
    note();
    if (step % 4 !== 3) continue;
    const seqs = Array.from({ length: 12 }, (_, i) => 1 + Math.floor(step / 4) * 12 + i);
    file.settle(seqs.map((seq) => ({ seq, as: "flushed" as const })));
    note();
  }
  return moments;
}

/** The bytes before, with some of the sectors that were written since: the rest had not reached the disk. */
function torn(before: Buffer, after: Buffer, unit: number, random: (below: number) => number): Buffer {
  const length = Math.max(before.length, random(2) === 0 ? after.length : random(after.length + 1));
  const bytes = Buffer.alloc(length);
  before.copy(bytes);
  const chance = 1 + random(4);
  for (let at = 0; at < length; at += unit) {
    if (random(4) < chance) after.copy(bytes, at, at, Math.min(at + unit, length));
  }
  return bytes;
}

function reopened({ db, log, counts }: Omit<Moment, "held">) {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "spool.db"), db);
  writeFileSync(join(folder.path, "spool.db-wal"), log);
  writeFileSync(join(folder.path, "acknowledged"), counts);
  using file = open(folder.path);
  return { held: numbers(file), damage: file.damage };
}

test("whatever of a batch had reached the disk when the power went, all that was acknowledged is in the spool", () => {
  const random = numbersFrom(20_261_121);
  const moments = life();
  let movedIntoFile = 0;
  for (const [i, before] of moments.entries()) {
    const after = moments[i + 1];
    if (after === undefined) break;
    // Counts are not synced: those of any earlier time may be what is left.
    const counts = moments[random(i + 1)]?.counts ?? before.counts;
    const isCheckpoint = !before.db.equals(after.db);
    if (isCheckpoint) movedIntoFile++;
    for (let round = 0; round < 6; round++) {
      // The batch on its way into the log: nobody was told of it yet.
      const cut = reopened({ ...before, log: torn(before.log, after.log, sectorBytes, random), counts });
      expect(cut.damage).toBeUndefined();
      // Either as before the batch, or with all of it.
      expect([before.held, after.held]).toContainEqual(cut.held);
      if (!isCheckpoint) continue;
      // The log on its way into the file, after the batch was told.
      const moving = reopened({
        ...after,
        db: torn(before.db, after.db, pageBytes, random),
        counts: after.counts,
      });
      expect(moving).toEqual({ held: after.held, damage: undefined });
    }
  }
  expect(movedIntoFile).toBeGreaterThan(3);
});

test("every commit waits for the disk", () => {
  using folder = temporaryFolder();
  using file = open(folder.path);
  expect(file.db.prepare("pragma synchronous").get()).toEqual({ synchronous: 2 });
  expect(file.db.prepare("pragma journal_mode").get()).toEqual({ journal_mode: "wal" });
});
