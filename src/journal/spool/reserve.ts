import { closeSync, existsSync, openSync, rmSync, statfsSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Room kept on the spool's disk for when it is full: letting drained records go is written too, and a spool
 * that filled its disk could otherwise never be emptied.
 */
export type Reserve = {
  readonly bytes: number;
  /** Gives the room back to the disk. */
  release(): void;
  /** Takes it again, as much of it as there is. */
  refill(): void;
};

const reserveMaxBytes = 8 * 1024 * 1024;
/** Of what the disk has left when the spool is opened, at most. */
const reserveShare = 1 / 4;

export function openReserve(path: string): Reserve {
  const { bavail, bsize } = statfsSync(dirname(path));
  const bytes = Math.min(reserveMaxBytes, Math.floor(bavail * bsize * reserveShare));

  function refill(): void {
    if (existsSync(path) && statSync(path).size >= bytes) return;
    const file = openSync(path, "w", 0o600);
    try {
      writeSync(file, Buffer.alloc(bytes));
    } catch (cause) {
      // A disk with less room than that gives what it has.
      if (!(cause instanceof Error)) throw cause;
    } finally {
      closeSync(file);
    }
  }

  refill();
  return { bytes, release: () => rmSync(path, { force: true }), refill };
}

const full = 13;
const inputOutput = 10;

/** Whether SQLite failed for want of room, as far as it can tell. */
export function isFull(cause: unknown): boolean {
  if (!(cause instanceof Error) || !("errcode" in cause) || typeof cause.errcode !== "number") return false;
  const code = cause.errcode & 0xff; // The rest of it tells where.
  return code === full || code === inputOutput;
}
