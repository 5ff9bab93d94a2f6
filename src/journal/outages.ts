import type pg from "pg";
import type { Logger } from "pino";
import type { Alert } from "../alerts/alert.ts";
import type { AlertDelivery } from "../alerts/delivery.ts";
import { damageAlert, hasLost, outageAlert } from "../alerts/raised.ts";
import { type ReasonCode, userMessages } from "../reasonCodes.ts";
import { type EndedOutage, type SpoolBot, spoolBots } from "./spool/entry.ts";
import type { Spool } from "./spool/spool.ts";

/** Tells when a bot's records begin to go to the spool, and puts on record that all of them have arrived. */
export type Outages = {
  /** Records of the bot are in the spool. */
  spooled(bot: SpoolBot): void;
  /**
   * Reports the bot's outage if nothing of it waits any more, and what could not be reported before. Rejects
   * when the database is away again: it is then for the next time.
   */
  drained(bot: SpoolBot): Promise<void>;
};

const codes = {
  "gov.useractivityledger": { begun: "LEDGER_WRITE_FAILED", over: "LEDGER_WRITE_RECOVERED" },
  "gov.parameterchangeauditor": { begun: "AUDIT_LOG_UNAVAILABLE", over: "AUDIT_LOG_RECOVERED" },
} as const satisfies Record<SpoolBot, { begun: ReasonCode; over: ReasonCode }>;

export function createOutages(options: {
  readonly spool: Spool;
  readonly pool: pg.Pool;
  readonly nowMicros: () => number;
  /** Called when a report is on record, for its place in the log. */
  readonly onReported: (outage: EndedOutage) => void;
  /** Tells people of the alert, which the log has as the outage later. */
  readonly alerts: Pick<AlertDelivery, "raise" | "fold">;
  readonly log: Logger;
}): Outages {
  const { spool, alerts, log } = options;
  /** What people were told when it began. */
  const told = new Map<SpoolBot, Alert>();
  const damaged = spool.damage && damageAlert(options.nowMicros());
  if (damaged !== undefined) alerts.raise(damaged);

  function tell(bot: SpoolBot): void {
    const alert = outageAlert(bot, spool.state(bot).oldestMicros ?? options.nowMicros());
    told.set(bot, alert);
    alerts.raise(alert);
  }

  for (const bot of spoolBots) {
    const { records } = spool.state(bot);
    if (records === 0) continue;
    tell(bot);
    log.warn({ reasonCode: codes[bot].begun, waiting: records }, "an earlier run left records in the spool");
  }

  function fold(outage: EndedOutage): void {
    const { bot, id, sinceMicros } = outage;
    const begun = told.get(bot);
    told.delete(bot);
    if (begun !== undefined) alerts.fold(begun, outageAlert(bot, sinceMicros, id));
    if (damaged !== undefined && hasLost(outage)) alerts.fold(damaged, damageAlert(sinceMicros, id));
  }

  return {
    spooled(bot) {
      if (told.has(bot)) return;
      tell(bot);
      const reasonCode = codes[bot].begun;
      log.warn({ reasonCode, page: true }, userMessages[reasonCode]);
    },
    async drained(bot) {
      if (spool.state(bot).records > 0) return;
      await spool.endOutage(bot);
      for (const outage of await spool.endedOutages()) {
        await report(options.pool, outage, options.nowMicros());
        await spool.forgetOutage(outage);
        fold(outage);
        options.onReported(outage);
        const { sinceMicros, untilMicros, buffered, flushed, folded, conflicting, refused, lost } = outage;
        const reasonCode = codes[outage.bot].over;
        const times = { from: isoOf(sinceMicros), to: isoOf(untilMicros) };
        const counts = { buffered, flushed, folded, conflicting, refused, lost };
        log.info({ reasonCode, ...times, ...counts }, userMessages[reasonCode]);
      }
    },
  };
}

async function report(pool: pg.Pool, outage: EndedOutage, nowMicros: number): Promise<void> {
  const time = (n: number) => `timestamptz 'epoch' + $${n}::bigint * interval '1 microsecond'`;
  await pool.query(
    `insert into log.recovery (record_id, bot, recorded_at, from_at, to_at, buffered, flushed, folded,
       conflicting, refused, lost)
     values ($1, $2, ${time(3)}, ${time(4)}, ${time(5)}, $6, $7, $8, $9, $10, $11) on conflict do nothing`,
    [
      outage.id,
      outage.bot,
      nowMicros,
      outage.sinceMicros,
      outage.untilMicros,
      outage.buffered,
      outage.flushed,
      outage.folded,
      outage.conflicting,
      outage.refused,
      outage.lost,
    ],
  );
}

function isoOf(micros: number): string {
  return new Date(micros / 1000).toISOString();
}
