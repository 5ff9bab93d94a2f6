/** The bots whose records a spool holds. */
export const spoolBots = ["gov.useractivityledger", "gov.parameterchangeauditor"] as const;
export type SpoolBot = (typeof spoolBots)[number];

/** A record on its way into the spool. */
export type NewEntry = {
  /** The journal it is of. */
  readonly journal: string;
  readonly bot: SpoolBot;
  /** Hash of what its order is kept by: a wallet's session, a parameter. */
  readonly orderKey: number;
  /** Hash of another name under which later records follow it; null for most. */
  readonly ownKey: number | null;
  /** The server's own time, microseconds. */
  readonly acceptedMicros: number;
  readonly body: string;
};

/** A record in the spool. seq is its place: 1, 2, 3 … without gaps over all that were ever taken. */
export type Entry = NewEntry & { readonly seq: number };

/** How far a spool has come: the records of a bot that were ever taken, and those that left it for good. */
export type Count = { readonly appended: number; readonly removed: number };
export type Counts = Readonly<Record<SpoolBot, Count>>;

/** What became of a record that left the spool. */
export type Settled = "flushed" | "folded" | "conflicting";

/** A bot's time without its database: from the first record that was spooled to the last one that drained. */
export type Outage = {
  readonly bot: SpoolBot;
  /** A ULID. */
  readonly id: string;
  readonly sinceMicros: number;
  readonly buffered: number;
  /** Recorded now. */
  readonly flushed: number;
  /** On record before, with the same content (R23). */
  readonly folded: number;
  /** Their key was on record with other content; kept as conflicts (R9). */
  readonly conflicting: number;
  /** Refused by the database for what they are; they stay in the spool. */
  readonly refused: number;
  /** Acknowledged, and not found again in a damaged spool; null: nothing is left that could tell. */
  readonly lost: number | null;
};

export type EndedOutage = Outage & { readonly untilMicros: number };

/** What is in a spool of one bot and journal. */
export type Held = {
  readonly bot: SpoolBot;
  readonly journal: string;
  /** Waiting to be drained. */
  readonly entries: number;
  readonly bytes: number;
  readonly refused: number;
  readonly refusedBytes: number;
  /** Of the oldest that waits; null when none does. */
  readonly oldestMicros: number | null;
};

/** A spool that was not as it was left: what is missing was acknowledged, what is damaged is set aside. */
export type Damage = {
  /** Where the damaged files are kept. */
  readonly quarantine: string;
  /** Records that were read whole and are kept. */
  readonly kept: number;
  /** Acknowledged records that could not be read any more; null: nothing is left that could tell. */
  readonly lost: number | null;
  /** What was wrong. */
  readonly why: string;
};

/** The order keys of waiting records, and how many have each. */
export type KeyCounts = readonly { readonly key: number; readonly entries: number }[];
