import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { type Counts, spoolBots } from "./entry.ts";

const countBytes = 16;
const sumAt = spoolBots.length * countBytes;
const lengthBytes = sumAt + 4;

/**
 * Keeps the counts apart from the spool's own file, so that a spool that lost its end, or was put back to an
 * earlier state, is noticed. Written without fsync: a power cut may leave older counts, never newer ones.
 */
export type AcknowledgedFile = {
  /** What was written last; "none" where nothing ever was, "damaged" where it is not what was written. */
  read(): Counts | "none" | "damaged";
  write(counts: Counts): void;
  close(): void;
};

export function openAcknowledged(path: string): AcknowledgedFile {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  const bytes = Buffer.alloc(lengthBytes);
  return {
    read() {
      const length = readSync(descriptor, bytes, 0, lengthBytes, 0);
      if (length === 0) return "none";
      if (length < lengthBytes || bytes.readUInt32LE(sumAt) !== crc32(bytes.subarray(0, sumAt)))
        return "damaged";
      const at = (bot: number) => ({
        appended: Number(bytes.readBigUInt64LE(bot * countBytes)),
        removed: Number(bytes.readBigUInt64LE(bot * countBytes + 8)),
      });
      return { [spoolBots[0]]: at(0), [spoolBots[1]]: at(1) };
    },
    write(counts) {
      for (const [nth, bot] of spoolBots.entries()) {
        bytes.writeBigUInt64LE(BigInt(counts[bot].appended), nth * countBytes);
        bytes.writeBigUInt64LE(BigInt(counts[bot].removed), nth * countBytes + 8);
      }
      bytes.writeUInt32LE(crc32(bytes.subarray(0, sumAt)), sumAt);
      writeSync(descriptor, bytes, 0, lengthBytes, 0);
    },
    close() {
      closeSync(descriptor);
    },
  };
}
