import type { Logger } from "pino";
import { moveSourcePosition, readSourcePosition, type SourceKey, type SourcePosition } from "./positions.ts";
import type { StreamState } from "./streams.ts";
import type { Turn } from "./turns.ts";

/**
 * Where to go on with a stream: behind the committed position; or at the beginning when the stream is not the one
 * that was read: it was made anew, or its end was lost and written again. What is on record folds then.
 */
export async function startingPosition(
  { link, seen, use }: Pick<Turn<StreamState>, "link" | "seen" | "use">,
  key: SourceKey,
  to: { readonly onMissed: (messages: number) => void; readonly log: Logger },
): Promise<SourcePosition> {
  const stored = await use((client) => readSourcePosition(client, key, seen.created));

  async function isTheSame(): Promise<boolean> {
    if (stored.created !== seen.created) return false;
    if (stored.sequence === 0) return true;
    if (stored.sequence > seen.lastSequence) return false;
    const last = await link.jsm.streams.getMessage(key.stream, { seq: stored.sequence });
    // One that has expired says nothing.
    return last === null || last.time.getTime() === stored.messageMs;
  }

  if (await isTheSame()) {
    const missed = seen.firstSequence - stored.sequence - 1;
    if (stored.sequence > 0 && missed > 0) {
      to.log.error({ ...key, missed }, "the bus has dropped messages that were not read yet");
      to.onMissed(missed);
    }
    return stored;
  }
  to.log.warn(
    { ...key, sequence: stored.sequence },
    "the stream was made anew or has lost its end: it is read from its beginning",
  );
  const beginning = { created: seen.created, sequence: 0, messageMs: null };
  await use((client) => moveSourcePosition(client, key, stored, beginning));
  return beginning;
}
