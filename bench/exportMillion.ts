// Records a million actions, exports them, and prints rows/s and how the service's memory grew:
//   node bench/exportMillion.ts [rows]
import { streamActions } from "./comparisons/actions.ts";
import { exportAll } from "./exportAll.ts";
import { type Service, startService } from "./service.ts";

const rows = Number(process.argv[2] ?? 1_000_000);

async function fill(service: Service): Promise<number> {
  let recorded = 0;
  while (recorded < rows) {
    const { value } = await streamActions({ service, seconds: 10 });
    recorded += value * 10;
    console.error(`recorded about ${Math.round(recorded)} of ${rows}, ${Math.round(value)}/s`);
  }
  return recorded;
}

await using service = await startService();
await fill(service);
console.log(JSON.stringify(await exportAll(service)));
