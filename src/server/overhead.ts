import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";

export type OverheadLimits = {
  /** What a connection may send in a second beside its calls: frames that say nothing, or little in many. */
  readonly overheadBytesPerSecond: number;
};

/** What of a connection's bytes belongs to calls. */
export type Payload = {
  call(): void;
  data(bytes: number): void;
  /** Bytes that were no call's, since the last look. */
  excess(): number;
};

export type Overhead = Disposable & {
  watch(session: ServerHttp2Session, socket: Socket, cutOff: () => void): Payload;
};

const everyMs = 250;

/** Allowed for a call's frames and headers: long tokens come with each call. */
const callBytes = 16 * 1024;

/**
 * Calls back when a connection goes on sending frames that are no call's, whichever they are. It looks four times
 * a second: node:http2 tells nobody of most frames, so their bytes are all there is to count.
 */
export function createOverhead(limits: OverheadLimits): Overhead {
  type Watched = { readonly socket: Socket; readonly cutOff: () => void; excess: number; read: number };
  const watched = new Set<Watched>();

  let lookedMs = performance.now();
  const looking = setInterval(() => {
    // After a pause of the process there is more to read, and it took longer.
    const nowMs = performance.now();
    const allowedBytes = (limits.overheadBytesPerSecond * (nowMs - lookedMs)) / 1000;
    lookedMs = nowMs;
    for (const one of watched) {
      const excess = one.excess + one.socket.bytesRead - one.read;
      one.read = one.socket.bytesRead;
      one.excess = 0;
      if (excess > allowedBytes) one.cutOff();
    }
  }, everyMs).unref();

  return {
    watch(session, socket, cutOff) {
      const one = { socket, cutOff, excess: 0, read: 0 };
      watched.add(one);
      session.once("close", () => watched.delete(one));
      return {
        call: () => {
          one.excess -= callBytes;
        },
        data: (bytes) => {
          one.excess -= bytes;
        },
        excess: () => one.excess + socket.bytesRead - one.read,
      };
    },
    [Symbol.dispose]: () => clearInterval(looking),
  };
}
