// Records a million actions, exports them, and prints rows/s and how the service's memory grew:
//   node bench/exportMillion.ts [rows]
import { streamed } from "./comparisons/streamed.ts";
import { exportAll } from "./exportAll.ts";
import { type Service, startService } from "./service.ts";

const rows = Number(process.argv[2] ?? 1_000_000);

async function fill(service: Service): Promise<number> {
  let recorded = 0;
  while (recorded < rows) {
    const { value } = await streamed.ours({ service, echo: service, database: unused, seconds: 10 });
    recorded += value * 10;
    console.error(`recorded about ${Math.round(recorded)} of ${rows}, ${Math.round(value)}/s`);
  }
  return recorded;
}

/** The filling measures our side alone, which needs no database of the peers'. */
const unused = { host: "", port: 0, user: "", password: "", database: "" };

await using service = await startService();
await fill(service);
console.log(JSON.stringify(await exportAll(service)));
