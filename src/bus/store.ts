import { commit, isLostRace, isRefusal, type Write } from "../journal/commit.ts";
import { moveSourcePosition, type SourceKey, type SourcePosition } from "./positions.ts";
import type { Storing } from "./sources.ts";
import type { Turn } from "./turns.ts";

/** A message's place in its stream, and the row that it is; none when it is among the dead letters. */
export type Arrived<Row> = {
  readonly sequence: number;
  readonly messageMs: number;
  readonly row: Row | undefined;
};

/**
 * Stores what arrived together with the position behind it, in one transaction: either both are there or neither.
 * What Postgres refuses for what it is is looked for by halves; `refuse` is given it, and it is left out. Throws
 * StoreUnavailable, after which the turn is over: what became of the batch is then unknown, and the position tells.
 */
export function createStore<Row, Outcome, Arrival extends Arrived<Row>>(options: {
  readonly of: Storing<Row, Outcome>;
  readonly key: SourceKey;
  readonly turn: Pick<Turn<unknown>, "use" | "abandon">;
  readonly budgetMs: number;
  readonly refuse: (arrived: Arrival, cause: unknown) => Promise<void>;
  readonly onOutcome: (row: Row, outcome: Outcome) => void;
}) {
  const { of, key, turn } = options;
  const writer = { run: turn.use, abandon: turn.abandon, close: () => Promise.resolve() };

  function writing(before: SourcePosition, after: SourcePosition): Write<Row, Outcome> {
    const write = of.hashing(async (client, rows) => {
      await client.query("begin");
      try {
        const outcomes = rows.length === 0 ? [] : await of.append(client, rows);
        await moveSourcePosition(client, key, before, after);
        await client.query("commit");
        return outcomes;
      } catch (cause) {
        await client.query("rollback").catch(() => undefined); // The cause is what matters.
        throw cause;
      }
    });
    return { name: `bus ${of.name}`, write, acceptedMicros: of.acceptedMicros, tables: of.tables };
  }

  return async function store(arrived: readonly Arrival[], before: SourcePosition): Promise<SourcePosition> {
    const last = arrived.at(-1);
    if (last === undefined) return before;
    const { sequence, messageMs } = last;
    const after = { created: before.created, sequence, messageMs };
    const rows = arrived.flatMap(({ row }) => (row === undefined ? [] : [row]));
    try {
      const outcomes = await commit(writing(before, after), writer, rows, options.budgetMs);
      for (const [index, row] of rows.entries()) {
        const outcome = outcomes[index];
        if (outcome !== undefined) options.onOutcome(row, outcome);
      }
      return after;
    } catch (cause) {
      if (!isRefusal(cause) || isLostRace(cause)) throw cause;
      if (arrived.length === 1) {
        await options.refuse(last, cause);
        return store([{ ...last, row: undefined }], before);
      }
      const half = Math.ceil(arrived.length / 2);
      return store(arrived.slice(half), await store(arrived.slice(0, half), before));
    }
  };
}
