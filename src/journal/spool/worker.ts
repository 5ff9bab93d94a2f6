import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../../clock.ts";
import { createRecordIds } from "../../recordIds.ts";
import { endedOutagesIn, heldIn, keyCountsIn } from "./look.ts";
import type { Answer, Ask, Opened } from "./messages.ts";
import { openSpoolFile, type SpoolFile } from "./spoolFile.ts";

/**
 * The spool's thread: SQLite waits for the disk, and here nobody waits with it. What arrives while one
 * transaction is on its way to the disk goes into the next one.
 */
function run(file: SpoolFile, port: NonNullable<typeof parentPort>): void {
  const appends: Extract<Ask, { kind: "append" }>[] = [];
  const answer = (message: Answer) => port.postMessage(message);

  function flush(): void {
    while (appends.length > 0) append(takeBatch());
  }

  /** As many as one transaction may bring, at least one. */
  function takeBatch(): typeof appends {
    let bytes = 0;
    const end = appends.findIndex(({ entries }, i) => {
      for (const { body } of entries) bytes += body.length;
      return i > 0 && bytes > file.transactionMaxBytes;
    });
    return appends.splice(0, end === -1 ? appends.length : end);
  }

  function append(batch: typeof appends): void {
    try {
      file.append(
        batch.flatMap((ask) => ask.entries),
        batch[0]?.nowMicros ?? 0,
      );
      for (const { id } of batch) answer({ id, kind: "done" });
    } catch (cause) {
      for (const { id } of batch) answer({ id, kind: "failed", message: messageOf(cause) });
    }
  }

  function serve(ask: Exclude<Ask, { kind: "append" }>): Answer {
    const { id } = ask;
    switch (ask.kind) {
      case "take":
        return {
          id,
          kind: "taken",
          entries: file.take(ask.journal, ask.limit, ask.maxBytes, ask.behind, ask.after),
        };
      case "settle":
        file.settle(ask.settled);
        return { id, kind: "done" };
      case "refuse":
        file.refuse(ask.seq, ask.sqlState);
        return { id, kind: "done" };
      case "endOutage":
        file.endOutage(ask.bot, ask.nowMicros);
        return { id, kind: "done" };
      case "endedOutages":
        return { id, kind: "ended", outages: endedOutagesIn(file.db) };
      case "forgetOutage":
        file.forgetOutage(ask.outageId);
        return { id, kind: "done" };
      case "close":
        file.close();
        return { id, kind: "done" };
    }
  }

  port.on("message", (ask: Ask) => {
    if (ask.kind === "append") {
      appends.push(ask);
      // Everything that is in the port by then joins the transaction.
      if (appends.length === 1) setImmediate(flush);
      return;
    }
    flush();
    try {
      answer(serve(ask));
    } catch (cause) {
      answer({ id: ask.id, kind: "failed", message: messageOf(cause) });
    }
    if (ask.kind === "close") port.close();
  });
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

const port = parentPort;
if (port === null) throw new Error("this file is a thread's");
const opened = (message: Opened) => port.postMessage(message);
try {
  const clock = systemClock();
  const folder: unknown = workerData;
  if (typeof folder !== "string") throw new Error("no folder was given");
  const file = openSpoolFile(folder, createRecordIds(clock), clock.nowMicros);
  opened({
    kind: "opened",
    held: heldIn(file.db),
    keys: keyCountsIn(file.db),
    damage: file.damage,
  });
  run(file, port);
} catch (cause) {
  opened({ kind: "unusable", message: messageOf(cause) });
}
