import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { createTestDatabase } from "../../support/database.ts";
import { until } from "../alerts/receiving.ts";
import { wallet } from "../ledger/actions.ts";
import { type Command, start } from "../start/command.ts";
import { settingsFor } from "../start/serving.ts";
import { hasNats, natsClient, startNats } from "./natsServer.ts";

const sources = [
  {
    subject: "internal.event_stream",
    prefix: "evt",
    bodyOf: (id: string) =>
      `{"event_id":"${id}","wallet":"${wallet}","session_id":"s","action_type":"HALT","trace_id":"${id.slice(4)}"}`,
    recorded: "select event_id as id from ledger.user_action",
  },
  {
    subject: "internal.report_bus",
    prefix: "fill",
    bodyOf: (id: string) => `{"fill_id":"${id}","trace_id":"${id.slice(5)}","status":"MATCHED"}`,
    recorded: "select fill_id as id from ledger.fill_report",
  },
] as const;

test.runIf(hasNats)(
  "replicas and the bus are killed, or stand still, at random moments: each action and fill is on record once, in one transaction with the position, and each report published once",
  async () => {
    await using running = new AsyncDisposableStack();
    const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-bus-"))).path;
    const database = running.use(await createTestDatabase());
    const nats = running.use(await startNats(folder));
    const client = running.use(await natsClient(nats));
    const query = <Row extends object>(text: string) => database.query<Row>("superuser", text);
    const idsOf = async (text: string) => (await query<{ id: string }>(text)).map(({ id }) => id).toSorted();

    async function replica(name: string): Promise<Command> {
      const settings = {
        DATABASE_URL: database.url("service"),
        GOVERNANCE_SCRUB_KEY_FILE: join(folder, "scrub.key"),
        GOVERNANCE_NATS_SERVERS: nats.url,
      };
      const command = running.use(start(settingsFor(join(folder, name), settings)));
      await command.ready;
      return command;
    }

    const sent: string[] = [];
    let isSending = true;
    const [first, second] = await Promise.all([replica("first"), replica("second")]);
    const sending = Promise.all(
      sources.map(async ({ subject, prefix, bodyOf }) => {
        for (let i = 0; isSending; i++) {
          const id = `${prefix}_${i}`;
          await client.publish(subject, bodyOf(id), { id });
          sent.push(id);
          await sleep(2);
        }
      }),
    );
    /** Resolves once what was sent by now is on record. */
    async function goesOn(who: string): Promise<void> {
      const last = sent.findLast((id) => id.startsWith("evt")) ?? "evt_0";
      await until(`${who} goes on`, async () => (await idsOf(sources[0].recorded)).includes(last));
    }
    async function killBus(): Promise<void> {
      await sleep(Math.random() * 300);
      await nats.kill();
      await sleep(Math.random() * 200);
      await nats.start();
    }

    /** Messages that the replica met on record: that were recorded before their position was committed. */
    async function doubled({ ready }: Command): Promise<number> {
      const page = await (await fetch(`http://127.0.0.1:${(await ready).httpPort}/metrics`)).text();
      const counts = [...page.matchAll(/^polytraders_gov_bus_consumed_total\{.*"duplicate"\} (\d+)$/gm)];
      expect(counts).toHaveLength(sources.length);
      return counts.reduce((sum, [, count]) => sum + Number(count), 0);
    }

    await goesOn("one of them");
    await sleep(Math.random() * 300);
    process.kill(first.pid, "SIGKILL");
    await first.ended;
    await goesOn("the second");
    await killBus();
    const third = await replica("first");
    await goesOn("the second");
    // It may be in the middle of a batch, and takes itself for the one that reads when it wakes up.
    process.kill(second.pid, "SIGSTOP");
    await goesOn("the third");
    process.kill(second.pid, "SIGCONT");
    await killBus();
    expect(await doubled(third)).toBe(0);
    process.kill(third.pid, "SIGKILL");
    await third.ended;
    isSending = false;
    await sending;

    for (const { prefix, recorded } of sources) {
      const ids = sent.filter((id) => id.startsWith(prefix)).toSorted();
      await until(`each ${prefix} is on record`, async () => (await idsOf(recorded)).length >= ids.length);
      expect(await idsOf(recorded)).toEqual(ids);
    }
    expect(await doubled(second)).toBe(0);
    const positions = await query<{ source: string; sequence: number; same: boolean }>(
      `select b.source, b.sequence::int as sequence, b.xmin::text = (select max(r.xid)::text from (
           select xid from ledger.user_action where b.source = 'actions'
           union all select xid from ledger.fill_report where b.source = 'fills') r) as same
       from log.bus_source b order by b.source`,
    );
    const countOf = (prefix: string) => sent.filter((id) => id.startsWith(prefix)).length;
    expect(positions).toEqual([
      { source: "actions", sequence: countOf("evt"), same: true },
      { source: "fills", sequence: countOf("fill"), same: true },
    ]);

    await until("all of the log is published", async () => {
      const [row] = await query<{ done: boolean }>(
        `select b.position = s.next_position - 1 and not exists (select from log.written) as done
         from log.bus_reports b join log.state s on s.epoch = b.epoch`,
      );
      return row?.done === true;
    });
    const published = (await client.all("polytraders_reports")).map(({ text }) =>
      Number(JSON.parse(text).position),
    );
    const placed = await query<{ position: number }>("select position::int from log.entry order by 1");
    expect(published.toSorted((a, b) => a - b)).toEqual(placed.map(({ position }) => position));
  },
  90_000,
);
