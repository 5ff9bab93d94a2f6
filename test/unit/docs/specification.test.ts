import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";

const docs = resolve(import.meta.dirname, "../../../docs");
const page = readFileSync(resolve(docs, "specification-ledger.md"), "utf8");

/** The cells of the page's table rows. */
const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| line |"))
  .map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );

/** Every link of the tables, and the tests quoted behind it. */
const references = rows
  .flat()
  .flatMap((cell) => [...cell.matchAll(/\[([^\]]+)\]\(([^)]+)\)((?:[,\s]*"[^"]+")*)/g)])
  .map(([, name = "", path = "", quoted = ""]) => ({
    name,
    path,
    tests: [...quoted.matchAll(/"([^"]+)"/g)].map(([, text = ""]) => text),
  }));

test("every section of the specification has its rows", () => {
  const printed = [
    1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 29,
  ];
  const named = [...page.matchAll(/^## (.+)$/gm)].flatMap(([, title = ""]) =>
    [...title.matchAll(/§(\d+)/g)].map(([, number]) => Number(number)),
  );
  expect(named.sort((a, b) => a - b)).toEqual(printed);
  expect(page).toMatch(/^## Page 000/m);
});

test("no line is left without an answer", () => {
  expect(rows.filter((cells) => cells.length !== 3)).toEqual([]);
  const unanswered = rows.filter(([, where = "", shown = ""]) => {
    const said = `${where} ${shown}`.replaceAll(/<!--.*?-->/g, "").trim();
    return said === "" || where.includes("<!--") || (shown === "" && !/^(see|as) /.test(where));
  });
  expect(unanswered.map(([line]) => line)).toEqual([]);
});

describe("what the tables name is there:", () => {
  test.each([...new Set(references.map(({ path }) => path))])("%s", (path) => {
    expect(existsSync(resolve(docs, path))).toBe(true);
  });

  test.each(references.filter(({ tests }) => tests.length > 0))(
    "the tests quoted of $name",
    ({ path, tests }) => {
      const text = readFileSync(resolve(docs, path), "utf8");
      expect(tests.filter((name) => !text.includes(`"${name}"`))).toEqual([]);
    },
  );

  test("every quoted text follows the test file it is of", () => {
    const shown = rows.map(([, , cell = ""]) =>
      cell.replaceAll(/\[[^\]]+\]\([^)]+\)(?:[,\s]*"[^"]+")*/g, ""),
    );
    expect(shown.filter((cell) => cell.includes('"'))).toEqual([]);
  });
});
