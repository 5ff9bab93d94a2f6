import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";

/** How far a spool has come: the last place that was acknowledged, and how many records left it for good. */
export type Counts = { readonly appended: number; readonly removed: number };

const lengthBytes = 24;

/**
 * Keeps the counts apart from the spool's own file, so that a spool that lost its end, or was put back to an
 * earlier state, is noticed. Written without fsync: a power cut may leave an older count, never a newer one.
 */
export type AcknowledgedFile = {
  /** What was written last; undefined when there is no file or it is damaged. */
  read(): Counts | undefined;
  write(counts: Counts): void;
  close(): void;
};

export function openAcknowledged(path: string): AcknowledgedFile {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  const bytes = Buffer.alloc(lengthBytes);
  return {
    read() {
      if (readSync(descriptor, bytes, 0, lengthBytes, 0) < lengthBytes) return undefined;
      if (bytes.readUInt32LE(16) !== crc32(bytes.subarray(0, 16))) return undefined;
      return {
        appended: Number(bytes.readBigUInt64LE(0)),
        removed: Number(bytes.readBigUInt64LE(8)),
      };
    },
    write({ appended, removed }) {
      bytes.writeBigUInt64LE(BigInt(appended), 0);
      bytes.writeBigUInt64LE(BigInt(removed), 8);
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 16)), 16);
      writeSync(descriptor, bytes, 0, lengthBytes, 0);
    },
    close() {
      closeSync(descriptor);
    },
  };
}
