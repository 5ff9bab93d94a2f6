import type { ServerHttp2Session } from "node:http2";

export type FrameLimits = {
  /** PING frames that a connection may send in a second. Clients that measure their bandwidth send hundreds. */
  readonly pingsPerSecond: number;
  /** SETTINGS frames that a connection may send in a second. Clients send one or two in their whole life. */
  readonly settingsPerSecond: number;
};

/**
 * Calls back when a connection sends more PING or SETTINGS frames than it may: node:http2 answers each of them and
 * counts none. Streams that are opened and reset are counted below it (streamResetRate), and so are
 * CONTINUATION frames.
 */
export function keepCalm(session: ServerHttp2Session, limits: FrameLimits, cutOff: () => void): void {
  session.on("ping", perSecond(limits.pingsPerSecond, cutOff));
  session.on("remoteSettings", perSecond(limits.settingsPerSecond, cutOff));
}

/** Counts, and calls back when it is called more often in a second. */
export function perSecond(max: number, tooMany: () => void): () => void {
  let since = performance.now();
  let count = 0;
  return () => {
    if (++count <= max) return;
    const now = performance.now();
    if (now - since <= 1000) return tooMany();
    since = now;
    count = 1;
  };
}
