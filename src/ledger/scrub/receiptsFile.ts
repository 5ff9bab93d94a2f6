import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** What is noted of a scrub outside the database, where a backup of an earlier moment does not take it back. */
export type NotedScrub = {
  readonly scrubbedAt: string;
  readonly receiptId: string;
  /** What stands for the wallet. */
  readonly identity: string;
};

/** Notes scrubs in a replica's data folder, a line of JSON for each; resolves when it is on disk. */
export function noteScrubs(dataDir: string): (scrub: NotedScrub) => Promise<void> {
  const file = join(dataDir, "scrubs.jsonl");
  return async ({ scrubbedAt, receiptId, identity }) => {
    const handle = await open(file, "a", 0o600);
    try {
      const line = { scrubbed_at: scrubbedAt, receipt_id: receiptId, identity };
      await handle.write(`${JSON.stringify(line)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
  };
}

const identity = /scrubbed:[0-9a-f]{16}:[0-9a-f]{64}(?![0-9a-f])/g;

/**
 * What stands for scrubbed wallets, wherever a file of text says it: such notes, kept answers of CloseAccount, reports.
 * Throws what reading it throws.
 */
export async function identitiesIn(file: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for await (const line of createInterface({ input: createReadStream(file) })) {
    for (const [text] of line.matchAll(identity)) found.add(text);
  }
  return found;
}
