import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { count } from "../output/count.ts";
import { note, print } from "../output/stdout.ts";
import { type Column, createTable } from "../output/table.ts";

/** One page of an answer. */
export type Page<Row> = { readonly rows: readonly Row[]; readonly nextPageToken: string };

/** How records of a kind are asked for and shown. */
export type Listing<Row> = {
  nextPage(pageSize: number, pageToken: string): Promise<Page<Row>>;
  /** The table's columns, once the first row is known. */
  columnsOf(first: Row): readonly Column<Row>[];
  /** A row on one line of JSON. */
  json(row: Row): string;
  /** What is said below a whole table. */
  noteBelow?(first: Row): string | undefined;
};

/** Records asked for at a time: at most 1,000 are allowed, and a record can have 64 KiB and more. */
const pageMax = 200;

/** What a call of a list has to be answered within. */
export const callOptions = { timeoutMs: 30_000 } as const;

/** Prints a listing page by page. `name` is what its rows are called when there are none. */
export async function listPages<Row>(
  listing: Listing<Row>,
  options: { readonly limit: number; readonly json?: true; readonly name: string },
): Promise<void> {
  let left = options.limit;
  let pageToken = "";
  let layOut: ((rows: readonly Row[]) => string) | undefined;
  let below: string | undefined;
  do {
    const page = await listing.nextPage(Math.min(left, pageMax), pageToken);
    const [first] = page.rows;
    if (first !== undefined) {
      layOut ??= createTable(listing.columnsOf(first), process.stdout.columns ?? Number.POSITIVE_INFINITY);
      below ??= listing.noteBelow?.(first);
      const text = options.json
        ? page.rows.map((row) => `${listing.json(row)}\n`).join("")
        : layOut(page.rows);
      await print(text);
    }
    left -= page.rows.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && left > 0);
  if (layOut === undefined) note(`no ${options.name} found`);
  if (pageToken !== "")
    note(`there are more than these ${count(options.limit)}; --limit all lists every one`);
  else if (below !== undefined && !options.json) note(below);
}

/** A time as tables show it. */
export function timeText(time: Timestamp | undefined): string {
  return time === undefined ? "" : timestampDate(time).toISOString();
}
