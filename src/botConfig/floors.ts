import type pg from "pg";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { BotId } from "../configFile.ts";
import { read } from "../db/read.ts";
import type { Sequencer } from "../log/sequencer.ts";
import { type ReasonCode, userMessages } from "../reasonCodes.ts";
import { within } from "../server/within.ts";
import type { BelowFloor } from "./change.ts";
import type { InForce } from "./inForce.ts";

/** Says it when a parameter is below a floor, or was to be: in the log at once, and on record (R2, R3). */
export type Floors = {
  /** A start-up value below a floor does not stop the service. On record once the database is there. */
  atStart(inForce: InForce, database: Promise<unknown>): void;
  /** A change at run time is refused: `askedBy` asked for it in this call; absent: the config file did. */
  refused(
    cause: BelowFloor,
    askedBy?: { readonly subject: string; readonly requestId: string },
  ): Promise<void>;
};

type Notice = {
  readonly occasion: "START" | "UPDATE" | "FILE";
  readonly botId: BotId;
  readonly paramName: string;
  readonly value: number;
  readonly reasonCodes: readonly ReasonCode[];
  readonly askedBy: string | null;
};

/** Nobody waits longer for the record of a refusal. */
const noteWithinMs = 1_000;

export function createFloors(options: {
  readonly pool: pg.Pool;
  readonly clock: Clock;
  readonly sequencer: Pick<Sequencer, "nudge">;
  /** Called for each refusal with the error's reason. */
  readonly onRefused: (reason: string) => void;
  readonly log: Logger;
}): Floors {
  const { pool, clock, sequencer, log } = options;

  async function note({ occasion, botId, paramName, value, reasonCodes, askedBy }: Notice): Promise<void> {
    const noting = read(pool, {
      text: `insert into maintenance.floor_notice
               (noticed_at, occasion, bot_id, param_name, value_json, reason_codes, asked_by)
             values (timestamptz 'epoch' + $1::bigint * interval '1 microsecond', $2, $3, $4, $5, $6, $7)`,
      values: [clock.nowMicros(), occasion, botId, paramName, JSON.stringify(value), reasonCodes, askedBy],
    });
    try {
      await noting;
      sequencer.nudge();
    } catch (cause) {
      log.error({ err: cause, botId, paramName }, "that a parameter is below a floor could not be recorded");
    }
  }

  return {
    atStart({ values }, database) {
      const notices: Notice[] = [];
      const below = (botId: BotId, paramName: string, value: number, reasonCode: ReasonCode) =>
        notices.push({
          occasion: "START",
          botId,
          paramName,
          value,
          reasonCodes: [reasonCode],
          askedBy: null,
        });
      const { retain_days: retainDays } = values["gov.useractivityledger"];
      if (retainDays < 2555) {
        const reasonCode = "RETENTION_BELOW_REGULATORY_MINIMUM";
        log[retainDays < 1825 ? "error" : "warn"]({ reasonCode, retainDays }, userMessages[reasonCode]);
        below("gov.useractivityledger", "retain_days", retainDays, reasonCode);
      }
      const { retain_history_days: retainHistoryDays } = values["gov.parameterchangeauditor"];
      if (retainHistoryDays < 90) {
        const reasonCode = "AUDIT_RETENTION_WARN";
        log.warn({ reasonCode, retainHistoryDays }, userMessages[reasonCode]);
        below("gov.parameterchangeauditor", "retain_history_days", retainHistoryDays, reasonCode);
      }
      void database.then(() => Promise.all(notices.map(note)));
    },

    async refused({ botId, paramName, value, codes, reason }, caller) {
      for (const reasonCode of codes) {
        log.warn({ reasonCode, botId, paramName, ...caller }, userMessages[reasonCode]);
      }
      options.onRefused(reason);
      const occasion = caller === undefined ? "FILE" : "UPDATE";
      const askedBy = caller?.subject ?? null;
      await within(
        note({ occasion, botId, paramName, value, reasonCodes: codes, askedBy }),
        noteWithinMs,
        undefined,
      );
    },
  };
}
