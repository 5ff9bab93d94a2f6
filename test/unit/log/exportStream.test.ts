import { createHash, createSecretKey, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type ExportPart,
  type ExportState,
  exportStream,
  isExportState,
} from "../../../src/log/exportStream.ts";
import type { FoundPage, Page } from "../../../src/log/pageQuery.ts";
import type { Place } from "../../../src/log/place.ts";
import { createTokens } from "../../../src/log/token.ts";

const tokens = createTokens(createSecretKey(randomBytes(32)), "test", isExportState);

type Row = { readonly place: Place; readonly text: string };

function rowsOf(texts: readonly string[]): Row[] {
  return texts.map((text, i) => ({
    place: { epoch: 1, position: i + 1, xid: String(i + 10), ord: 0 },
    text,
  }));
}

/** Pages of the rows, as a database that has them all would give; at most `perPage` of them at a time. */
function pagesOf(rows: readonly Row[], perPage: number, asked: Page[] = []) {
  return async (page: Page): Promise<FoundPage<Row>> => {
    asked.push(page);
    await sleep(0);
    const from = page.after?.position ?? 0;
    return { records: rows.slice(from, from + perPage), more: from + perPage < rows.length };
  };
}

function exportOf(
  page: (page: Page) => Promise<FoundPage<Row>>,
  resume?: ExportState,
): AsyncGenerator<ExportPart> {
  const head = { epoch: 1, position: 99, horizon: "1000" };
  const rewrites = { mark: async () => "0", refuseSince: async () => undefined };
  const line = (row: Row) => row.text;
  return exportStream({ resume, holding: [], head, page, line, tokens, filters: "{}", rewrites });
}

async function collect(parts: AsyncIterable<ExportPart>) {
  const chunks: Buffer[] = [];
  const states: ExportState[] = [];
  let trailer: Extract<ExportPart, { kind: "trailer" }> | undefined;
  for await (const part of parts) {
    if (part.kind === "trailer") {
      trailer = part;
    } else {
      chunks.push(Buffer.from(part.jsonl));
      states.push(tokens.open("token", part.resumeToken, "{}"));
    }
  }
  if (trailer === undefined) throw new Error("no trailer");
  return { chunks, bytes: Buffer.concat(chunks), states, trailer };
}

function chainOf(lines: readonly string[]): string {
  let chain = Buffer.alloc(32);
  for (const line of lines) chain = createHash("sha256").update(chain).update(line).digest();
  return chain.toString("hex");
}

test("lines come in order, ended by newlines, and the trailer proves them", async () => {
  const texts = ['{"a":1}', '{"b":"ü😀"}', "{}"];
  const { bytes, trailer } = await collect(exportOf(pagesOf(rowsOf(texts), 2)));
  expect(bytes.toString()).toBe(`${texts.join("\n")}\n`);
  expect(trailer).toMatchObject({ count: 3, totalCount: 3, through: { epoch: 1, position: 99 } });
  expect(trailer.sha256.toString("hex")).toBe(createHash("sha256").update(bytes).digest("hex"));
  expect(trailer.chain.toString("hex")).toBe(chainOf(texts));
});

test("characters that some readers take for line ends are escaped, and only those", async () => {
  const { bytes } = await collect(exportOf(pagesOf(rowsOf(['{"a":"\u2028\u2029\u0085\u0084\v"}']), 1)));
  expect(bytes.toString()).toBe('{"a":"\\u2028\\u2029\\u0085\u0084\v"}\n');
});

test("whatever the lines and pages, any chunk's token goes on with the same bytes and the same chain", async () => {
  const text = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 20 }).map((value) => JSON.stringify(value)),
    fc.integer({ min: 50_000, max: 400_000 }).map((length) => `"${"é".repeat(length)}"`),
  );
  const texts = fc.array(text, { maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(
      texts,
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 7 }),
      async (lines, size, other) => {
        const rows = rowsOf(lines);
        const uncut = await collect(exportOf(pagesOf(rows, size)));
        expect(uncut.trailer.count).toBe(lines.length);
        let sent = 0;
        for (const [i, state] of uncut.states.entries()) {
          sent += uncut.chunks[i]?.length ?? 0;
          const rest = await collect(exportOf(pagesOf(rows, other), state));
          expect(rest.bytes.equals(uncut.bytes.subarray(sent))).toBe(true);
          expect(rest.trailer.chain.equals(uncut.trailer.chain)).toBe(true);
          expect(rest.trailer.totalCount).toBe(lines.length);
          expect(rest.trailer.count).toBe(lines.length - state.totalCount);
        }
      },
    ),
    { numRuns: 25 },
  );
});

test("chunks have about a quarter of a mebibyte, and a longer line is a chunk of its own", async () => {
  const texts = [...Array.from({ length: 30 }, () => "x".repeat(50_000)), "y".repeat(700_000), "z"];
  const { chunks } = await collect(exportOf(pagesOf(rowsOf(texts), 10)));
  const sizes = chunks.map((chunk) => chunk.length);
  for (const size of sizes.slice(0, 4)) expect([size > 256 * 1024, size < 320 * 1024]).toEqual([true, true]);
  expect(Math.max(...sizes)).toBeLessThan(700_000 + 256 * 1024);
});

test("who does not take parts is not read for: one page in hand and one ahead, no more", async () => {
  const asked: Page[] = [];
  const texts = Array.from({ length: 400 }, () => "x".repeat(60_000));
  const parts = exportOf(pagesOf(rowsOf(texts), 20, asked));
  await parts.next();
  await sleep(20);
  expect(asked).toHaveLength(2);
  for (let taken = 0; taken < 5; taken++) await parts.next();
  await sleep(20);
  expect(asked.length).toBeLessThanOrEqual(4);
  await parts.return(undefined);
  await sleep(20);
  expect(asked.length).toBeLessThanOrEqual(4);
});

test("every page is asked for below the same horizon, bounded in records and in bytes", async () => {
  const asked: Page[] = [];
  await collect(exportOf(pagesOf(rowsOf(["1", "2", "3"]), 1, asked)));
  expect(asked.map((page) => page.after?.position)).toEqual([undefined, 1, 2]);
  for (const page of asked) {
    expect(page).toMatchObject({ order: "oldest", through: { epoch: 1, horizon: "1000" } });
    expect(page.limit).toBeLessThanOrEqual(2_000);
    expect(page.maxBytes).toBeLessThanOrEqual(4 * 1024 * 1024);
  }
});

test("a page that cannot be read ends the export with its error, without a trailer", async () => {
  const page = pagesOf(rowsOf(["1", "2", "3"]), 1);
  const failing = async (asked: Page) => {
    if (asked.after?.position === 2) throw new Error("the database went away");
    return page(asked);
  };
  await expect(collect(exportOf(failing))).rejects.toThrow("the database went away");
});

test("an export of an earlier epoch of the log is not gone on with", async () => {
  const through = { epoch: 0, position: 5, horizon: "7" };
  const resume = { after: undefined, through, totalCount: 0, chain: "00".repeat(32), mark: "0" };
  await expect(collect(exportOf(pagesOf([], 1), resume))).rejects.toMatchObject({
    reason: "LOG_EPOCH_CHANGED",
  });
});
