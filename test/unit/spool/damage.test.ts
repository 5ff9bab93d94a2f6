import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { outagesIn } from "../../../src/journal/spool/look.ts";
import { damageIn } from "../../../src/journal/spool/salvage.ts";
import type { SpoolFile } from "../../../src/journal/spool/spoolFile.ts";
import { copyOf, entries, entry, open, temporaryFolder } from "./folders.ts";

/** A spool as a kill leaves it: much in the file, much in the log beside it, some of it long. */
let folder: ReturnType<typeof temporaryFolder>;
let earlier: ReturnType<typeof temporaryFolder>;
let held: string[];
let heldEarlier: string[];
beforeAll(() => {
  const live = temporaryFolder();
  const file = open(live.path);
  const settle = (first: number, count: number) =>
    file.settle(Array.from({ length: count }, (_, i) => ({ seq: first + i, as: "flushed" as const })));
  file.append(entries(1, 300), 1);
  file.append([entry(301, { body: JSON.stringify("long ".repeat(3_000)) })], 1);
  settle(1, 40);
  file.refuse(60, "22000");
  file.db.exec("pragma wal_checkpoint(truncate)");
  file.append(entries(302, 30), 1);
  earlier = copyOf(live.path);
  heldEarlier = contentOf(file);
  for (let n = 332; n < 400; n += 4) file.append(entries(n, 4), 1);
  settle(41, 10);
  file.append([entry(400, { body: JSON.stringify("longer ".repeat(2_000)) })], 1);
  folder = copyOf(live.path);
  held = contentOf(file);
  file.close();
  live[Symbol.dispose]();
});
afterAll(() => {
  folder[Symbol.dispose]();
  earlier[Symbol.dispose]();
});

/** All that is in the spool, refused or not. */
function contentOf({ db }: SpoolFile): string[] {
  const rows = db.prepare(
    "select seq, journal, bot, order_key, own_key, accepted_micros, body, refused from entry",
  );
  return rows.all().map((row) => JSON.stringify(row));
}

/** As many as fit on a page. */
const ofOnePage = 60;

/** Damages a copy, opens it, and holds what came of it against what was acknowledged. */
function afterDamage(damageIt: (path: string) => void): { lost: number | null; kept: number } | undefined {
  using copy = copyOf(folder.path);
  damageIt(copy.path);
  let damage: SpoolFile["damage"];
  {
    using file = open(copy.path);
    damage = file.damage;
    const content = contentOf(file);
    const missing = held.filter((each) => !content.includes(each)).length;
    if (damage === undefined) {
      expect(content).toEqual(held);
    } else {
      // What was drained since an earlier state may come again.
      expect(content.filter((each) => !held.includes(each) && !heldEarlier.includes(each))).toEqual([]);
      expect(damage.kept).toBe(content.length);
      expect([missing, null]).toContain(damage.lost);
      expect(damageIn(damage.quarantine)).toEqual(damage);
    }
    file.append([entry(1_000)], 1);
  }
  using again = open(copy.path);
  expect(again.damage).toBeUndefined();
  return damage && { lost: damage.lost, kept: damage.kept };
}

function flip(path: string, at: number, mask: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ mask;
  writeFileSync(path, bytes);
}

/** Where the file has the body of an entry. */
function placeOf(n: number): number {
  return readFileSync(join(folder.path, "spool.db")).indexOf(`{"n":${n},`);
}

const mask = fc.integer({ min: 1, max: 255 });
const seed = 20_261_121;

describe.each(["spool.db", "spool.db-wal"])("%s", (name) => {
  test("a byte that is another one costs the records of a page at most, and is noticed", () => {
    const { size } = statSync(join(folder.path, name));
    let noticed = 0;
    fc.assert(
      fc.property(fc.nat({ max: size - 1 }), mask, (at, by) => {
        const damage = afterDamage((path) => flip(join(path, name), at, by));
        if (damage === undefined) return;
        noticed++;
        expect(damage.lost).toBeLessThanOrEqual(ofOnePage);
      }),
      { numRuns: 60, seed },
    );
    expect(noticed).toBeGreaterThan(5);
  });

  test("so is one of its first hundred", () => {
    fc.assert(
      fc.property(fc.nat({ max: 99 }), mask, (at, by) => {
        const damage = afterDamage((path) => flip(join(path, name), at, by));
        expect(damage?.lost ?? 0).toBeLessThanOrEqual(ofOnePage);
      }),
      { numRuns: 30, seed },
    );
  });

  test("cut anywhere, what is missing is counted", () => {
    const { size } = statSync(join(folder.path, name));
    fc.assert(
      fc.property(fc.nat({ max: size - 1 }), (length) => {
        afterDamage((path) => truncateSync(join(path, name), length));
      }),
      { numRuns: 25, seed },
    );
  });

  test("many bytes that are other ones", () => {
    const { size } = statSync(join(folder.path, name));
    const flips = fc.array(fc.tuple(fc.nat({ max: size - 1 }), mask), { minLength: 5, maxLength: 30 });
    fc.assert(
      fc.property(flips, (all) => {
        afterDamage((path) => {
          for (const [at, by] of all) flip(join(path, name), at, by);
        });
      }),
      { numRuns: 20, seed },
    );
  });

  test("gone", () => {
    const damage = afterDamage((path) => rmSync(join(path, name)));
    expect(damage?.lost).not.toBe(0);
  });

  test("garbage, or nothing at all, in its place", () => {
    for (const garbage of ["", "x", "not a database\n".repeat(5_000)]) {
      expect(afterDamage((path) => writeFileSync(join(path, name), garbage))).toBeDefined();
    }
  });
});

test("with all its files gone everything is known to be lost", () => {
  const all = (path: string) => {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(join(path, `spool.db${suffix}`), { force: true });
  };
  expect(afterDamage(all)).toEqual({ lost: held.length, kept: 0 });
  const nothingTells = (path: string) => {
    all(path);
    flip(join(path, "acknowledged"), 3, 1);
  };
  expect(afterDamage(nothingTells)).toEqual({ lost: null, kept: 0 });
});

test("without the counts that are kept apart, the file's own still tell what is missing on its pages", () => {
  expect(afterDamage((path) => rmSync(join(path, "acknowledged")))).toBeUndefined();
  const damage = afterDamage((path) => {
    writeFileSync(join(path, "acknowledged"), "garbage");
    flip(join(path, "spool.db"), placeOf(200), 1);
  });
  expect(damage?.lost).toBe(1);
});

test("put back to an earlier state, it does not pass for whole", () => {
  using copy = copyOf(folder.path);
  for (const suffix of ["", "-wal", "-shm"]) {
    writeFileSync(
      join(copy.path, `spool.db${suffix}`),
      readFileSync(join(earlier.path, `spool.db${suffix}`)),
    );
  }
  using file = open(copy.path);
  expect(file.damage).toMatchObject({ why: "its end is missing", kept: heldEarlier.length });
  // 69 came since then, and 10 left: whether of those or of these, nobody can tell.
  expect(file.damage?.lost).toBeNull();
  expect(contentOf(file)).toEqual(heldEarlier);
});

test("put back to before some were drained, it gives them again, which folds; nothing is lost", () => {
  using live = temporaryFolder();
  const file = open(live.path);
  file.append(entries(1, 9), 1);
  using before = copyOf(live.path);
  file.settle([1, 2, 3].map((seq) => ({ seq, as: "flushed" as const })));
  writeFileSync(join(before.path, "acknowledged"), readFileSync(join(live.path, "acknowledged")));
  file.close();
  using again = open(before.path);
  expect(again.damage).toMatchObject({ why: "it is of an earlier time", kept: 9, lost: 0 });
});

test("the damaged files are set aside as they were", () => {
  using copy = copyOf(folder.path);
  const names = ["spool.db", "spool.db-wal"];
  flip(join(copy.path, "spool.db"), placeOf(200), 1);
  const before = names.map((name) => readFileSync(join(copy.path, name)));
  using file = open(copy.path);
  const { quarantine = "" } = file.damage ?? {};
  expect(names.map((name, i) => before[i]?.equals(readFileSync(join(quarantine, name))))).toEqual([
    true,
    true,
  ]);
  expect(readdirSync(quarantine)).toContain("damage.json");
});

test("the outage of what is missing says how many, bot by bot, and goes on with what was known of it", () => {
  using live = temporaryFolder();
  const file = open(live.path);
  file.append(entries(1, 30), 7);
  file.db.exec("pragma wal_checkpoint(truncate)");
  using copy = copyOf(live.path);
  file.close();
  const path = join(copy.path, "spool.db");
  flip(path, readFileSync(path).indexOf('{"n":15,'), 1);
  using again = open(copy.path);
  expect(again.damage).toMatchObject({ kept: 29, lost: 1 });
  expect(outagesIn(again.db)).toMatchObject([
    { bot: "gov.parameterchangeauditor", sinceMicros: 7, buffered: 10, lost: 1 },
    { bot: "gov.useractivityledger", sinceMicros: 7, buffered: 20, lost: 0 },
  ]);
});

test("a salvage that ends before its end is gone on with by the next start, and its finding told", () => {
  using copy = copyOf(folder.path);
  flip(join(copy.path, "spool.db"), placeOf(200), 1);
  let damage: SpoolFile["damage"];
  {
    using file = open(copy.path);
    damage = file.damage;
  }
  // As if it had ended between making the new file and putting it in place.
  writeFileSync(join(copy.path, "spool.ready"), readFileSync(join(copy.path, "spool.db")));
  writeFileSync(join(copy.path, "spool.db"), readFileSync(join(damage?.quarantine ?? "", "spool.db")));
  writeFileSync(
    join(copy.path, "spool.db-wal"),
    readFileSync(join(damage?.quarantine ?? "", "spool.db-wal")),
  );
  using file = open(copy.path);
  expect(file.damage).toEqual(damage);
  expect(contentOf(file)).toHaveLength(damage?.kept ?? 0);
  expect(existsSync(join(copy.path, "spool.ready"))).toBe(false);
});
