// What the ledger costs as it grows, several sizes side by side, in turns:
//   npm run bench:growth [-- --rows 10000 --rows 1000000 --rows 10000000 --seconds 4 --turns 5 --json]
import { parseArgs } from "node:util";
import { streamActions } from "../comparisons/actions.ts";
import { exportAll } from "../exportAll.ts";
import { type Ledger, startLedger } from "./ledger.ts";
import { type PurgeTimes, purgeMonth } from "./purge.ts";
import { linkByTrace, listByWallet } from "./reads.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", multiple: true, default: ["10000", "1000000", "10000000"] },
    seconds: { type: "string", default: "4" },
    turns: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);
const turns = Number(values.turns);
const calls = 1_000;

type Size = {
  readonly ledger: Ledger;
  readonly listP99Us: number[];
  readonly linkP99Us: number[];
  readonly writtenPerSecond: number[];
};

async function measure({ ledger, listP99Us, linkP99Us, writtenPerSecond }: Size): Promise<void> {
  listP99Us.push((await listByWallet(ledger, calls)).p99Us);
  linkP99Us.push((await linkByTrace(ledger, calls)).p99Us);
  const { service } = ledger;
  writtenPerSecond.push((await streamActions({ service, seconds })).value);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

await using running = new AsyncDisposableStack();
const sizes: Size[] = [];
for (const rows of values.rows.map(Number)) {
  const ledger = running.use(await startLedger(rows));
  console.error(`${rows} rows, filled at ${ledger.filledPerSecond}/s`);
  sizes.push({ ledger, listP99Us: [], linkP99Us: [], writtenPerSecond: [] });
}
for (let turn = 0; turn <= turns; turn++) {
  for (const size of sizes) {
    await measure(size);
    const [list, link, written] = [size.listP99Us, size.linkP99Us, size.writtenPerSecond].map((all) =>
      all.at(-1),
    );
    console.error(
      `turn ${turn}, ${size.ledger.rows} rows: list p99 ${list} µs, link p99 ${link} µs, ${Math.round(written ?? 0)} written/s`,
    );
    // The first turn compiles what is hot, and does not count.
    if (turn === 0) for (const all of [size.listP99Us, size.linkP99Us, size.writtenPerSecond]) all.length = 0;
  }
}

// Before months are taken from it.
const largest = sizes.at(-1);
if (largest !== undefined) console.log(JSON.stringify(await exportAll(largest.ledger.service)));

const table: (PurgeTimes & Record<string, number>)[] = [];
for (const { ledger, listP99Us, linkP99Us, writtenPerSecond } of sizes) {
  table.push({
    size: ledger.rows,
    writtenPerSecond: Math.round(median(writtenPerSecond)),
    listP99Us: median(listP99Us),
    linkP99Us: median(linkP99Us),
    ...(await purgeMonth(ledger)),
  });
}
const [small, large] = [table[0], table.at(-1)];
if (small !== undefined && large !== undefined) {
  const ratios = {
    "write rate, largest ÷ smallest (goal ≥ 0.8)": ratio(large.writtenPerSecond, small.writtenPerSecond),
    "list-by-wallet p99, largest ÷ smallest (goal < 2)": ratio(large.listP99Us, small.listP99Us),
    "link-by-trace p99, largest ÷ smallest": ratio(large.linkP99Us, small.linkP99Us),
    "dropping a month ÷ deleting its rows, largest (goal < 0.01)": ratio(large.dropMs, large.deleteMs),
  };
  if (values.json) console.log(JSON.stringify({ table, ratios }, null, 2));
  else {
    console.table(table);
    console.table(ratios);
  }
}

function ratio(of: number | undefined, to: number | undefined): number {
  return Math.round(((of ?? Number.NaN) / (to ?? Number.NaN)) * 1000) / 1000;
}
