// Whether memory and handles stay flat: CheckWrite and RecordUserAction in turns, until so many calls were answered.
//   npm run bench:soak -- [calls]
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { recordActions } from "./comparisons/actions.ts";
import { checkWrites } from "./comparisons/checkWrite.ts";
import { type Service, startService } from "./service.ts";

const calls = Number(process.argv[2] ?? 1_000_000);
const seconds = 15;
const warmupSeconds = 1;
/** Time for what is left of a round to be given back. */
const settleMs = 3_000;

type Sample = {
  readonly calls: number;
  readonly residentMiB: number;
  readonly handles: number;
  readonly eventLoopP99Ms: number;
  readonly eventLoopMaxMs: number;
};

/** Sampled while nothing is under way; the event loop's delay is that of the round before. */
async function sample(service: Service, answered: number, loop: EventLoop): Promise<Sample> {
  const status = await readFile(`/proc/${service.pid}/status`, "utf8");
  const handles = await readdir(`/proc/${service.pid}/fd`);
  return {
    calls: Math.round(answered),
    residentMiB: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024),
    handles: handles.length,
    ...loop,
  };
}

type EventLoop = Pick<Sample, "eventLoopP99Ms" | "eventLoopMaxMs">;

/** As the service itself measures it, since it was last asked. */
async function eventLoop(service: Service): Promise<EventLoop> {
  const text = await (await fetch(`http://${service.host}:${service.httpPort}/metrics`)).text();
  const of = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]) * 1000;
  return {
    eventLoopP99Ms: Math.round(of("nodejs_eventloop_lag_p99_seconds") * 10) / 10,
    eventLoopMaxMs: Math.round(of("nodejs_eventloop_lag_max_seconds") * 10) / 10,
  };
}

await using service = await startService();
let answered = 0;
await eventLoop(service);
for (let round = 0; answered < calls; round++) {
  const { value } = await (round % 2 === 0 ? checkWrites : recordActions)({ service, seconds });
  answered += value * (seconds + warmupSeconds);
  const loop = await eventLoop(service);
  await sleep(settleMs);
  console.log(JSON.stringify(await sample(service, answered, loop)));
}
