import { Worker } from "node:worker_threads";

export type Latencies = {
  readonly calls: number;
  readonly p99Ms: number;
  /** What the calls that were not answered well ended with. */
  readonly failures: readonly string[];
};

/** A well-behaved client on a thread of its own, so that what it measures is the service and not the test. */
export type Neighbour = AsyncDisposable & {
  /** What it saw since it was last asked. */
  seen(): Promise<Latencies>;
};

export async function startNeighbour(options: {
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly token: string;
}): Promise<Neighbour> {
  const worker = new Worker(new URL("./neighbourThread.ts", import.meta.url), { workerData: options });
  return {
    seen: () =>
      new Promise((resolve, reject) => {
        worker.once("error", reject);
        worker.once("message", (latencies: Latencies) => {
          worker.off("error", reject);
          resolve(latencies);
        });
        worker.postMessage("seen");
      }),
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  };
}
