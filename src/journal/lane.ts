/**
 * Natural group commit. What arrives while a batch is being committed goes into the next one; there is
 * no timer, so a lone call waits for nobody and a crowd shares one fsync.
 */
export type Lane<Row, Outcome> = {
  /** Resolves with the rows' outcomes, in order, once all of them are committed. Rejects with the cause. */
  append(rows: readonly Row[]): Promise<readonly Outcome[]>;
  /** Rows that wait or are under way. */
  readonly depth: number;
  /** Resolves when nothing waits and nothing is under way. */
  idle(): Promise<void>;
};

type Waiting<Row, Outcome> = {
  readonly rows: readonly Row[];
  readonly resolve: (outcomes: readonly Outcome[]) => void;
  readonly reject: (cause: unknown) => void;
};

const none: readonly number[] = [];

/**
 * Rows leave in the order of their append calls; one append is never split over two batches.
 * `commit` gets at most maxRows rows, unless a single append is longer, and answers one outcome a row.
 */
export function createLane<Row, Outcome>(options: {
  readonly commit: (rows: readonly Row[]) => Promise<readonly Outcome[]>;
  readonly maxRows: number;
  /** Whether `commit` failed for what one of the rows is: then each append is tried by itself. */
  readonly isRefusal: (cause: unknown) => boolean;
  /** Commits that may be under way at a time; `commit` keeps their order as long as none of them fails. */
  readonly underWay: number;
  /** Of rows whose order must hold even then: no row leaves while one with its key is under way. */
  readonly keyOf?: ((row: Row) => number) | undefined;
}): Lane<Row, Outcome> {
  const { keyOf } = options;
  const keysUnderWay = new Set<number>();
  let queue: Waiting<Row, Outcome>[] = [];
  let depth = 0;
  let underWay = 0;
  let scheduled = false;
  let whenIdle: (() => void)[] = [];

  function schedule(): void {
    if (underWay >= options.underWay || scheduled || queue.length === 0) return;
    scheduled = true;
    // setImmediate lets everything that the sockets have delivered in this turn join the batch.
    setImmediate(() => {
      scheduled = false;
      void flush();
    });
  }

  function take(): Waiting<Row, Outcome>[] {
    let rows = 0;
    let count = 0;
    for (const waiting of queue) {
      if (count > 0 && rows + waiting.rows.length > options.maxRows) break;
      if (keyOf && underWay > 0 && waiting.rows.some((row) => keysUnderWay.has(keyOf(row)))) break;
      rows += waiting.rows.length;
      count++;
    }
    if (count === queue.length) {
      const all = queue;
      queue = [];
      return all;
    }
    return queue.splice(0, count);
  }

  async function flush(): Promise<void> {
    const batch = take();
    if (batch.length === 0) return; // The end of what is under way comes back to it.
    underWay++;
    const rows = batch.length === 1 && batch[0] ? batch[0].rows : batch.flatMap((waiting) => waiting.rows);
    // Keys of two batches under way are never the same: each gives back its own.
    const keys = keyOf === undefined ? none : rows.map(keyOf);
    for (const key of keys) keysUnderWay.add(key);
    try {
      const outcomes = await options.commit(rows);
      let at = 0;
      for (const waiting of batch) {
        waiting.resolve(outcomes.slice(at, at + waiting.rows.length));
        at += waiting.rows.length;
      }
    } catch (cause) {
      if (batch.length > 1 && options.isRefusal(cause)) await commitEach(batch);
      else for (const waiting of batch) waiting.reject(cause);
    }
    for (const key of keys) keysUnderWay.delete(key);
    depth -= rows.length;
    underWay--;
    if (queue.length > 0) {
      schedule();
    } else if (underWay === 0) {
      const idle = whenIdle;
      whenIdle = [];
      for (const resolve of idle) resolve();
    }
  }

  /** One bad record must not take its neighbours with it. */
  async function commitEach(batch: readonly Waiting<Row, Outcome>[]): Promise<void> {
    for (const { rows, resolve, reject } of batch) {
      await options.commit(rows).then(resolve, reject);
    }
  }

  return {
    append(rows) {
      return new Promise((resolve, reject) => {
        queue.push({ rows, resolve, reject });
        depth += rows.length;
        schedule();
      });
    },
    get depth() {
      return depth;
    },
    idle() {
      return depth === 0 ? Promise.resolve() : new Promise((resolve) => whenIdle.push(resolve));
    },
  };
}
