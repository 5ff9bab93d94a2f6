import pg from "pg";
import type { History } from "../load/history.ts";
import { checkAcked } from "./acked.ts";
import { type Away, checkAnswers, type Stalled } from "./answers.ts";
import type { Finding, Judgement } from "./findings.ts";
import { checkLinks, checkLog } from "./log.ts";
import { checkOrder } from "./order.ts";
import { readRecords } from "./records.ts";
import { checkSpools, readSpool, textsOf } from "./spool.ts";

/** The log and the links follow the records by themselves, within this. */
const followWithinMs = 10_000;

/**
 * Compares what callers were told with what is on record. Shares no code with the service: plain SQL over its
 * tables, plain reading of its spools.
 */
export async function check(options: {
  readonly url: string;
  readonly history: History;
  readonly away: Away;
  readonly stalled: Stalled;
  readonly dataDirs: readonly string[];
}): Promise<Judgement> {
  const { history } = options;
  const client = new pg.Client({ connectionString: options.url });
  await client.connect();
  try {
    const log = await settled(async () => [...(await checkLog(client)), ...(await checkLinks(client))]);
    const records = await readRecords(client);
    const spooled = textsOf(options.dataDirs.flatMap((dataDir) => readSpool(dataDir) ?? []));
    const acked = checkAcked(history, records, spooled);
    const answers = checkAnswers(history, options.away, options.stalled);
    const spools = checkSpools(options.dataDirs);
    const order = checkOrder(history, acked.rows);
    return {
      calls: history.calls.length,
      ...acked,
      ...answers,
      findings: [...acked.findings, ...order, ...answers.findings, ...log, ...spools],
    };
  } finally {
    await client.end();
  }
}

/** The findings once there are none, or those that stay. */
async function settled(look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  const giveUpMs = performance.now() + followWithinMs;
  for (;;) {
    const findings = await look();
    if (findings.length === 0 || performance.now() > giveUpMs) return findings;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
