import type pg from "pg";
import type { Clock } from "../clock.ts";
import { isAway } from "../db/read.ts";
import { noteRetainDays } from "../retention/retainDays.ts";
import { Failure } from "../server/failure.ts";
import type { InForce, StoredValue } from "./inForce.ts";

/** The turn of one change: no other one is decided or stored in the whole cluster until it ends. */
export type Turn = {
  /** What is stored as the turn begins. */
  readonly stored: readonly StoredValue[];
  /** Stores what the recorded decision allowed. Answers what is stored then. */
  store(decisionId: string, claimedEditorId: string): Promise<readonly StoredValue[]>;
  /** Notes how long records are kept by what is in force now; storing a value does it by itself (R1, R3). */
  noteRetention(inForce: InForce): Promise<void>;
};

export type ConfigStore = {
  /**
   * Waits for the turn and commits when `use` is done; when it throws, nothing is stored. Throws
   * STORE_UNAVAILABLE when the database is away or the turn does not come.
   */
  inTurn<T>(use: (turn: Turn) => Promise<T>): Promise<T>;
};

/** The pool has one connection, so that changes of this replica queue up here and not in the database. */
export function createConfigStore(pool: pg.Pool, clock: Clock): ConfigStore {
  return {
    async inTurn(use) {
      const client = await pool.connect().catch((cause: unknown) => {
        throw unavailable(cause, notChanged);
      });
      // While no statement is under way a lost connection reports here; the next statement fails with it.
      const ignore = () => undefined;
      client.on("error", ignore);
      let text = notChanged;
      let isDone = false;
      try {
        await client.query("begin");
        await client.query("select maintenance.take_bot_config_turn()");
        const result = await use(turnOn(client, await readStored(client), clock.nowMicros));
        text = "whether the parameter was changed is not known; GetBotConfig tells";
        await client.query("commit");
        isDone = true;
        return result;
      } catch (cause) {
        throw unavailable(cause, text);
      } finally {
        client.off("error", ignore);
        client.release(!isDone); // Closed where something failed, which rolls back.
      }
    },
  };
}

const notChanged = "the parameter cannot be changed now, and was not; try again";

function unavailable(cause: unknown, text: string): unknown {
  if (cause instanceof Failure || !isAway(cause)) return cause;
  return new Failure("STORE_UNAVAILABLE", text, { retryAfterMs: 1000, cause });
}

function turnOn(client: pg.ClientBase, stored: readonly StoredValue[], nowMicros: () => number): Turn {
  return {
    stored,
    async store(decisionId, claimedEditorId) {
      await client.query(
        `select maintenance.store_bot_config($1, $2, timestamptz 'epoch' + $3::bigint * interval '1 microsecond')`,
        [decisionId, claimedEditorId, nowMicros()],
      );
      return readStored(client);
    },
    async noteRetention({ values }) {
      const { retain_days: retainDays } = values["gov.useractivityledger"];
      await noteRetainDays(client, "gov.useractivityledger", retainDays, nowMicros());
      const { retain_history_days: retainHistoryDays } = values["gov.parameterchangeauditor"];
      await noteRetainDays(client, "gov.parameterchangeauditor", retainHistoryDays, nowMicros());
    },
  };
}

/** The latest stored value of each parameter of both bots. */
export async function readStored(queries: Pick<pg.ClientBase, "query">): Promise<readonly StoredValue[]> {
  type Row = { seq_text: string; bot_id: string; param_name: string; value_json: string };
  const { rows } = await queries.query<Row>(
    `select distinct on (bot_id, param_name) seq::text as seq_text, bot_id, param_name, value_json
     from maintenance.bot_config order by bot_id, param_name, seq desc`,
  );
  return rows.map((row) => ({
    seq: Number(row.seq_text),
    botId: row.bot_id,
    paramName: row.param_name,
    value: JSON.parse(row.value_json),
  }));
}
