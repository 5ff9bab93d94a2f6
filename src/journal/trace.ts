/**
 * What a journal tells of the way of its rows, where calls are traced; each runs what it is given and answers as
 * that does. Rows are known by their identity, from `append` to the batch that carries them.
 */
export type JournalTrace = {
  /** From the call of append until its rows are durable. */
  append<T>(rows: readonly unknown[], run: () => Promise<T>): Promise<T>;
  /** A batch on its way to the database. */
  commit<T>(rows: readonly unknown[], run: () => Promise<T>): Promise<T>;
  /** Rows on their way into the spool. */
  spool<T>(rows: readonly unknown[], run: () => Promise<T>): Promise<T>;
  /** So many records on their way out of it. */
  drain<T>(records: number, run: () => Promise<T>): Promise<T>;
};
