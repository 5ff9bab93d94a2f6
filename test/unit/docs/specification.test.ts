import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";

const docs = resolve(import.meta.dirname, "../../../docs");

/** A page's text, the cells of its table rows, and every link of them with the tests quoted behind it. */
function readPage(name: string) {
  const text = readFileSync(resolve(docs, name), "utf8");
  const rows = text
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| line |"))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
  const references = rows
    .flat()
    .flatMap((cell) => [...cell.matchAll(/\[([^\]]+)\]\(([^)]+)\)((?:[,\s]*"[^"]+")*)/g)])
    .map(([, name = "", path = "", quoted = ""]) => ({
      name,
      path,
      tests: [...quoted.matchAll(/"([^"]+)"/g)].map(([, text = ""]) => text),
    }));
  return { text, rows, references };
}

/** Both specifications print these. */
const sections = [
  1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 29,
];

describe.each(["specification-ledger.md", "specification-auditor.md"])("%s", (name) => {
  const { text, rows, references } = readPage(name);

  test("every section of the specification has its rows", () => {
    const named = [...text.matchAll(/^## (.+)$/gm)].flatMap(([, title = ""]) =>
      [...title.matchAll(/§(\d+)/g)].map(([, number]) => Number(number)),
    );
    expect(named.sort((a, b) => a - b)).toEqual(sections);
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
        const source = readFileSync(resolve(docs, path), "utf8");
        expect(tests.filter((test) => !source.includes(`"${test}"`))).toEqual([]);
      },
    );

    test("every quoted text follows the test file it is of", () => {
      const shown = rows.map(([, , cell = ""]) =>
        cell.replaceAll(/\[[^\]]+\]\([^)]+\)(?:[,\s]*"[^"]+")*/g, ""),
      );
      expect(shown.filter((cell) => cell.includes('"'))).toEqual([]);
    });
  });
});

test("the operator's page 000 has its rows too", () => {
  expect(readPage("specification-ledger.md").text).toMatch(/^## Page 000/m);
});
