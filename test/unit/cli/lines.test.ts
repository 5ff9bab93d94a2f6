import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { type Line, lineMaxBytes, readLines } from "../../../src/cli/replay/lines.ts";

async function linesOf(name: string, content: string | Buffer): Promise<Line[]> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "governance-lines-"));
  const path = join(folder.path, name);
  await writeFile(path, content);
  const lines: Line[] = [];
  for await (const line of readLines(path, () => undefined)) lines.push(line);
  return lines;
}

test("lines are counted as an editor counts them, blank ones left out, with or without a last newline", async () => {
  const lines = [
    { kind: "text", number: 1, text: "a" },
    { kind: "text", number: 3, text: "b\r" },
    { kind: "text", number: 5, text: "c" },
  ];
  expect(await linesOf("x.jsonl", "\ufeffa\n\nb\r\n \t\nc")).toEqual(lines);
  expect(await linesOf("x.jsonl", "a\n\nb\r\n\nc\n")).toEqual(lines);
  expect(await linesOf("x.jsonl", "")).toEqual([]);
});

test("a packed file of several members is read to its end", async () => {
  const packed = Buffer.concat([gzipSync("a\nb"), gzipSync("b\nc\n")]);
  const texts = (await linesOf("x.jsonl.gz", packed)).map((line) => line.kind === "text" && line.text);
  expect(texts).toEqual(["a", "bb", "c"]);
});

test("a character that falls on the edge of two reads stays whole", async () => {
  const text = "é漢😀".repeat(20_000);
  expect(await linesOf("x.jsonl", `x${text}\n`)).toEqual([{ kind: "text", number: 1, text: `x${text}` }]);
});

test("a line that is too long or not UTF-8 is told, and the next one is read", async () => {
  const long = "x".repeat(lineMaxBytes + 1);
  const bad = Buffer.concat([Buffer.from(`${long}\n`), Buffer.from([0xc3, 0x28, 0x0a]), Buffer.from("ok\n")]);
  const [tooLong, notUtf8, ok] = await linesOf("x.jsonl", bad);
  expect(tooLong).toMatchObject({ kind: "bad", number: 1, problem: expect.stringContaining("longer than") });
  expect(notUtf8).toEqual({ kind: "bad", number: 2, problem: "the line is not UTF-8" });
  expect(ok).toEqual({ kind: "text", number: 3, text: "ok" });
  const whole = "y".repeat(lineMaxBytes);
  expect(await linesOf("x.jsonl", `${whole}\n`)).toEqual([{ kind: "text", number: 1, text: whole }]);
});
