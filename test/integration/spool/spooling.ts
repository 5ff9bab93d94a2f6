import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { viewSpool } from "../../../src/journal/spool/view.ts";
import type { TestDatabase } from "../../support/database.ts";
import { metricValue } from "../../support/metrics.ts";
import type { TestService } from "../../support/service.ts";

/** Waits until nothing is spooled. */
export async function drained(service: TestService): Promise<void> {
  const startedMs = performance.now();
  for (;;) {
    const sizes = await Promise.all(
      ["useractivityledger", "parameterchangeauditor"].map((name) =>
        metricValue(service, `polytraders_gov_${name}_buffer_size`),
      ),
    );
    if (sizes.every((size) => size === 0)) return;
    expect(performance.now() - startedMs).toBeLessThan(30_000);
    await sleep(20);
  }
}

/** The records that a data folder's spool holds because the database refuses them. */
export function refusedIn(dataDir: string): number {
  return viewSpool(join(dataDir, "spool")).held.reduce((sum, { refused }) => sum + refused, 0);
}

/** The spool's files that hold the text, in any case. By another process: reading here would drop SQLite's locks. */
export function spoolFilesWith(dataDir: string, text: string): string[] {
  const script = 'grep -rli --binary-files=text "$1" "$0" || true';
  const found = execFileSync("sh", ["-c", script, join(dataDir, "spool"), text]).toString();
  return found.split("\n").filter(Boolean);
}

/** From now on the database refuses the action with the event id for what it is. */
export async function poison(database: TestDatabase, eventId: string): Promise<void> {
  await database.query(
    "superuser",
    `create function poison() returns trigger language plpgsql as $$ begin
       raise exception 'not this one' using errcode = '22000';
     end $$;
     create trigger poison before insert on ledger.user_action for each row
       when (new.event_id = '${eventId}') execute function poison()`,
  );
}
