import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { copyBuild } from "../parts/build.ts";

/** A mistake that somebody might make, and the scenario whose checker has to see it. */
export type BrokenBuild = {
  readonly name: string;
  readonly file: string;
  /** What stands in the file, exactly once, and what is put in its place. */
  readonly from: string;
  readonly to: string;
  readonly scenario: string;
  /** What is found, at least. */
  readonly finding: "lost" | "duplicated" | "misordered";
};

export const brokenBuilds: readonly BrokenBuild[] = [
  {
    name: "acks before fsync",
    file: "src/journal/spool/schema.ts",
    from: "pragma synchronous = full;",
    to: "pragma synchronous = off;",
    scenario: "power-cut",
    finding: "lost",
  },
  {
    name: "acks before it is written",
    file: "src/journal/spool/spool.ts",
    from: 'await ask({ kind: "append", entries, nowMicros: nowMicros() });',
    to: 'setTimeout(() => void ask({ kind: "append", entries, nowMicros: nowMicros() }), 100);',
    scenario: "power-cut",
    finding: "lost",
  },
  {
    name: "skips an event on drain",
    file: "src/journal/drain.ts",
    from: "const outcomes = await commit(of, writer, rows, drainBudgetMs);",
    to: `const most = rows.length > 1 ? rows.slice(1) : rows;
    const told = await commit(of, writer, most, drainBudgetMs);
    const outcomes = most === rows ? told : [...told.slice(0, 1), ...told];`,
    scenario: "network-cut",
    finding: "lost",
  },
  {
    name: "records a decision twice",
    file: "src/auditor/append.ts",
    from: "  const texts = (pick: (row: DecisionRow) => string | null) => textArray(rows.map(pick));",
    to: `  const once = rows.filter((row) => row.write.writeId === null);
  rows = [...rows, ...once.map((row) => ({ ...row, recordId: row.recordId.slice(0, -3) + "ZZZ" }))];
  const texts = (pick: (row: DecisionRow) => string | null) => textArray(rows.map(pick));`,
    scenario: "network-cut",
    finding: "duplicated",
  },
];

/** A copy of the service in `folder` with the mistake in it. Throws when the source is not what the mistake was made for. */
export async function breakBuild(build: BrokenBuild, root: string, folder: string): Promise<void> {
  await copyBuild(root, folder);
  const path = join(folder, build.file);
  const source = await readFile(path, "utf8");
  const found = source.split(build.from).length - 1;
  if (found !== 1) {
    throw new Error(
      `${build.file} has "${build.from}" ${found} times, not once: mend test/faults/broken/builds.ts`,
    );
  }
  await writeFile(
    path,
    source.replace(build.from, () => build.to),
  );
}
