/** A broken promise. */
export type Finding = {
  readonly kind:
    | "lost"
    | "duplicated"
    | "altered"
    | "invented"
    | "misordered"
    | "late"
    | "unanswered"
    | "log"
    | "spool"
    | "recovery"
    | "defect";
  readonly text: string;
};

/** What the checker counted, and what is wrong. */
export type Judgement = {
  readonly calls: number;
  readonly checkWrites: number;
  /** Records that somebody was told are kept; of them BUFFERED at first. */
  readonly acked: number;
  readonly buffered: number;
  /** Of those, found exactly once. */
  readonly found: number;
  readonly slowestCheckWriteMs: number;
  readonly slowestLedgerMs: number;
  /** Calls that were slow while the suite itself stood still: nobody can tell. */
  readonly unsure: number;
  /** Errors that callers were told, by code or reason. */
  readonly errors: ReadonlyMap<string, number>;
  readonly findings: readonly Finding[];
};
