import { randomUUID } from "node:crypto";
import { Socket } from "node:net";
import pg from "pg";
import { expect, test } from "vitest";
import { appendActions } from "../../../src/ledger/append.ts";
import { ledgerAs } from "../../support/callers.ts";
import type { TestDatabase } from "../../support/database.ts";
import { startTestService } from "../../support/service.ts";
import { until } from "../alerts/receiving.ts";
import { action } from "../ledger/actions.ts";
import { actionRow } from "./records.ts";

/** A message of Postgres' protocol. */
function message(type: string, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const head = Buffer.from([type.charCodeAt(0), 0, 0, 0, 0]);
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const query = (text: string) => message("Q", text, "\0");
/** A statement whose end is not said: Sync was still to be sent. */
const unfinished = (text: string) =>
  Buffer.concat([
    message("P", "\0", text, "\0", Buffer.alloc(2)),
    message("B", "\0\0", Buffer.alloc(6)),
    message("E", "\0", Buffer.alloc(4)),
    message("H"),
  ]);

/** A session of a replica that stands still after what it sent: it says nothing more and reads nothing. */
async function standStill(database: TestDatabase, sent: Buffer) {
  const socket = new Socket();
  const client = new pg.Client({
    connectionString: database.url("service"),
    application_name: "governance log",
    stream: () => socket,
  });
  client.on("error", () => undefined);
  await client.connect();
  // What a step can place, right before it: nobody else has placed it by then.
  await appendActions(client, [actionRow(randomUUID())]);
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  const ended = new Promise((resolve) => client.once("end", resolve));
  socket.pause();
  socket.write(sent);
  await until("its transaction waits for it", async () => {
    const waits = await database.query(
      "superuser",
      "select from pg_stat_activity where pid = $1 and backend_xid is not null and wait_event_type = 'Client'",
      [rows[0]?.pid],
    );
    return waits.length === 1;
  });
  /** Resolves once it has found its connection lost. */
  return {
    goOn() {
      socket.resume();
      return ended;
    },
  };
}

test("replicas that stand still in a transaction hold up the log for less than 5 s, and find their connections lost", async () => {
  await using service = await startTestService();
  const { database } = service;
  await database.query("service", "select maintenance.ensure_month('2026-05-01Z')");
  const [bot, compliance] = [await ledgerAs(service, "bot"), await ledgerAs(service, "compliance")];
  const startedMs = performance.now();
  const still = [
    // In a step of the log, which answers more than fits on the way.
    await standStill(
      database,
      query("select a.*, repeat('x', 1000) from log.advance(20000) a, generate_series(1, 20000)"),
    ),
    await standStill(database, unfinished("select pg_current_xact_id()")),
    await standStill(database, query("begin; select pg_current_xact_id()")),
  ];
  await bot.recordUserAction(action("after"));
  await until("the record has a position", async () => {
    const page = await compliance.listUserActions({ pageSize: 1 }).catch(() => undefined);
    return page?.actions[0]?.report?.eventId === "after";
  });
  expect(performance.now() - startedMs).toBeLessThan(5_000);

  await Promise.all(still.map((each) => each.goOn()));
  const [log] = await database.query(
    "superuser",
    "select array_agg(position::int order by xid, ord) as positions, count(distinct (xid, ord))::int as records from log.entry",
  );
  expect(log).toEqual({ positions: [1, 2, 3, 4], records: 4 });
});
