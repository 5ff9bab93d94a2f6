import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diffExact, type FieldDiff } from "../../../src/exact/diff.ts";
import { scanJson } from "../../../src/exact/json.ts";
import { parseJson } from "../../../src/exact/parseJson.ts";
import { fewModels, type Model, models, nastyStrings, naughtyStrings, spell } from "./model.ts";

const limits = { maxBytes: 4 * 1024 * 1024, maxDepth: 1_000, root: "any" } as const;

function canonical(text: string): string {
  const result = scanJson(text, limits);
  if (result.kind === "bad") throw new Error(result.problem.message);
  return result.value.canonical;
}

function diff(oldText: string | undefined, newText: string | undefined): FieldDiff[] {
  const { changes, omitted } = diffExact(oldText, newText, Number.POSITIVE_INFINITY);
  expect(omitted).toBe(0);
  return changes;
}

describe("the difference of two values", () => {
  it("is nothing when they are equal, however they are spelt", () => {
    expect(diff('{"a":1.10,"b":"\\u0041"}', '{"b":"A","a":1.1}')).toEqual([]);
    expect(diff(undefined, undefined)).toEqual([]);
    expect(diff("null", "null")).toEqual([]);
  });

  it("at the root has the empty path", () => {
    expect(diff("250", "500")).toEqual([{ path: "", kind: "changed", oldJson: "250", newJson: "500" }]);
    expect(diff("[1]", '{"0":1}')).toEqual([
      { path: "", kind: "changed", oldJson: "[1]", newJson: '{"0":1}' },
    ]);
    expect(diff("1", '"1"')).toEqual([{ path: "", kind: "changed", oldJson: "1", newJson: '"1"' }]);
  });

  it("tells a value that is absent from one that is null", () => {
    expect(diff(undefined, "null")).toEqual([{ path: "", kind: "added", newJson: "null" }]);
    expect(diff('{"a":1}', undefined)).toEqual([{ path: "", kind: "removed", oldJson: '{"a":1}' }]);
    expect(diff("null", "0")).toEqual([{ path: "", kind: "changed", oldJson: "null", newJson: "0" }]);
    expect(diff('{"a":null}', "{}")).toEqual([{ path: "/a", kind: "removed", oldJson: "null" }]);
  });

  it("has every value digit for digit", () => {
    expect(diff('{"a":1.10,"o":{"x":1.50,"y":[ 2.0 ]}}', '{"a":1.20,"o":[1e+2]}')).toEqual([
      { path: "/a", kind: "changed", oldJson: "1.10", newJson: "1.20" },
      { path: "/o", kind: "changed", oldJson: '{"x":1.50,"y":[ 2.0 ]}', newJson: "[1e+2]" },
    ]);
    expect(diff("0", "-0")).toEqual([{ path: "", kind: "changed", oldJson: "0", newJson: "-0" }]);
    const [one] = diff(
      '["12345678901234567890123456789012345678901"]',
      "[12345678901234567890123456789012345678901]",
    );
    expect(one).toMatchObject({ path: "/0", newJson: "12345678901234567890123456789012345678901" });
    expect(
      diff("12345678901234567890123456789012345678901", "12345678901234567890123456789012345678902"),
    ).toHaveLength(1);
  });

  it("goes through arrays index by index", () => {
    expect(diff("[1,2,3]", "[1,3]")).toEqual([
      { path: "/1", kind: "changed", oldJson: "2", newJson: "3" },
      { path: "/2", kind: "removed", oldJson: "3" },
    ]);
    expect(diff("[[]]", "[[1],2]")).toEqual([
      { path: "/0/0", kind: "added", newJson: "1" },
      { path: "/1", kind: "added", newJson: "2" },
    ]);
  });

  it("escapes keys in paths", () => {
    expect(diff('{"a/b~c":{"":1}}', '{"a/b~c":{"":2}}').map(({ path }) => path)).toEqual(["/a~1b~0c/"]);
  });

  it("is in the order of the old text, then of the new one", () => {
    const changes = diff('{"b":1,"10":1,"a":{"z":1},"2":1}', '{"y":1,"a":{"q":1},"2":2,"10":2,"x":1}');
    expect(changes.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      "removed /b",
      "changed /10",
      "removed /a/z",
      "changed /2",
      "added /y",
      "added /a/q",
      "added /x",
    ]);
  });

  it("knows no key from its prototype", () => {
    for (const key of [...nastyStrings, ...naughtyStrings()]) {
      const value = JSON.stringify({ [key]: 1 });
      expect(diff("{}", value)).toMatchObject([{ kind: "added", newJson: "1" }]);
      expect(diff(value, "{}")).toMatchObject([{ kind: "removed", oldJson: "1" }]);
      expect(diff(value, JSON.stringify({ [key]: { [key]: 1 } }))).toMatchObject([{ kind: "changed" }]);
    }
    expect(diff('{"__proto__":{"a":1}}', '{"__proto__":{"a":2}}')).toMatchObject([{ path: "/__proto__/a" }]);
  });

  it("applied to the old value gives the new one, and names no value that is equal", () => {
    for (const values of [models, fewModels]) {
      fc.assert(
        fc.property(values, values, (a, b) => {
          const changes = diff(spell(a), spell(b));
          expect(canonical(write(apply(read(spell(a)), changes)))).toBe(canonical(spell(b)));
          for (const { path, oldJson, newJson } of changes) {
            expect(oldJson).toBe(textAt(a, path));
            expect(newJson).toBe(textAt(b, path));
            if (oldJson !== undefined && newJson !== undefined)
              expect(canonical(oldJson)).not.toBe(canonical(newJson));
          }
        }),
        { numRuns: 300 },
      );
    }
  });

  it("lists no more than the limit and counts the others", () => {
    const one = JSON.stringify(Array(100).fill(1));
    const two = JSON.stringify(Array(100).fill(2));
    const { changes, omitted } = diffExact(one, two, 3);
    expect(changes.map(({ path }) => path)).toEqual(["/0", "/1", "/2"]);
    expect(omitted).toBe(97);
    expect(diffExact("1", "2", 0)).toEqual({ changes: [], omitted: 1 });
  });

  it("does not repeat a long key without end", () => {
    const key = "k".repeat(60_000);
    const { changes, omitted } = diffExact(
      JSON.stringify({ [key]: Array(100).fill(1) }),
      JSON.stringify({ [key]: Array(100).fill(2) }),
      1_000,
    );
    expect(changes).toHaveLength(4);
    expect(omitted).toBe(96);
  });

  it("of large and of deep values with many changes is found within a second, cold and on a busy machine", () => {
    const rows = (k: number) =>
      JSON.stringify(Array.from({ length: 4_000 }, (_, i) => ({ id: i, max: i + k, name: "market", on: k })));
    const deep = (n: number) =>
      `${'{"a":'.repeat(999)}[${Array(60_000).fill(n).join(",")}]${"}".repeat(999)}`;
    const start = performance.now();
    expect(diffExact(rows(1), rows(2), 100).omitted).toBe(7_900);
    expect(diffExact(deep(1), deep(2), 100).omitted).toBe(59_900);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});

type Tree = string | Tree[] | Map<string, Tree>;

// Objects as Maps, which have no keys of their own; scalars as their text.
function read(text: string): Tree {
  const build = (value: unknown): Tree => {
    if (Array.isArray(value)) return value.map(build);
    if (typeof value === "object" && value !== null)
      return new Map(Object.entries(value).map(([k, v]) => [k, build(v)]));
    if (typeof value === "string" && !value.isWellFormed()) return value.slice(1); // The tag of a number.
    return JSON.stringify(value);
  };
  return build(parseJson(canonical(text)));
}

function write(tree: Tree | undefined): string {
  if (tree === undefined || typeof tree === "string") return tree ?? "";
  if (Array.isArray(tree)) return `[${tree.map(write).join(",")}]`;
  return `{${[...tree].map(([key, value]) => `${JSON.stringify(key)}:${write(value)}`).join(",")}}`;
}

function apply(old: Tree, changes: FieldDiff[]): Tree | undefined {
  const root = new Map<string, Tree>([["", old]]);
  // From the end, so that what is removed from an array is its last item.
  const removals = changes.filter(({ kind }) => kind === "removed").reverse();
  for (const { path, newJson } of [...removals, ...changes.filter(({ kind }) => kind !== "removed")]) {
    const steps = ["", ...pointerSteps(path)];
    const last = steps.pop() ?? "";
    let at: Tree | undefined = root;
    for (const step of steps)
      at = Array.isArray(at) ? at[Number(step)] : at instanceof Map ? at.get(step) : undefined;
    if (Array.isArray(at)) {
      if (newJson === undefined) expect(at.pop()).toBeDefined();
      else at[Number(last)] = read(newJson);
    } else if (at instanceof Map) {
      if (newJson === undefined) at.delete(last);
      else at.set(last, read(newJson));
    }
  }
  return root.get("");
}

function textAt(model: Model, path: string): string | undefined {
  let at: Model | undefined = model;
  for (const step of pointerSteps(path)) {
    if (at?.kind === "array") at = at.items[Number(step)];
    else if (at?.kind === "object") at = at.members.find(([key]) => key === step)?.[1];
    else return undefined;
  }
  return at && spell(at);
}

function pointerSteps(path: string): string[] {
  return path
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}
