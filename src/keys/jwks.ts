import { readFileSync } from "node:fs";
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import type { Logger } from "pino";
import { Failure } from "../server/failure.ts";
import { StartupError } from "../startupError.ts";

const lastGoodKeysMs = 24 * 60 * 60 * 1000;
const refreshAfterMs = 10 * 60 * 1000;
/** Between two questions, so that tokens with made-up keys cannot make the service ask without end. */
const pauseMs = 10_000;
const pauseWithoutKeysMs = 1_000;
const answerWithinMs = 2_000;

/** `nowMs` is the wall clock in milliseconds. */
type Surroundings = { readonly nowMs: () => number; readonly log: Logger };

/**
 * The keys that tokens are checked with, from an http(s) URL or a file. A URL's are asked for when the
 * first token comes, again in the background every ten minutes, and when a token names an unknown key.
 * While the URL cannot be reached, the last good ones serve for 24 hours; without any, checking throws
 * STORE_UNAVAILABLE. Throws a StartupError for a file that holds no key set.
 */
export function loadJwks(source: string, { nowMs, log }: Surroundings): JWTVerifyGetKey {
  if (/^https?:/i.test(source)) {
    const url = URL.parse(source);
    if (url === null) throw new StartupError(`GOVERNANCE_JWKS: ${source} is not a URL`);
    return remoteKeys(url, { nowMs, log });
  }
  const keys = keySet(readJson(source));
  if (keys === undefined)
    throw new StartupError(`GOVERNANCE_JWKS: ${source} is not a JWK set: {"keys": [...]}`);
  return keys;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    throw new StartupError(`GOVERNANCE_JWKS: ${path} is neither a URL nor a readable JSON file`);
  }
}

function keySet(value: unknown): JWTVerifyGetKey | undefined {
  if (!isKeySet(value)) return undefined;
  try {
    return createLocalJWKSet(value);
  } catch (cause) {
    if (cause instanceof errors.JWKSInvalid) return undefined;
    throw cause;
  }
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  return typeof value === "object" && value !== null && "keys" in value && Array.isArray(value.keys);
}

function remoteKeys(url: URL, { nowMs, log }: Surroundings): JWTVerifyGetKey {
  let good: { readonly keys: JWTVerifyGetKey; readonly atMs: number } | undefined;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  async function ask(): Promise<void> {
    askedAtMs = nowMs();
    try {
      good = { keys: await fetchKeys(url), atMs: nowMs() };
    } catch (cause) {
      // The last good keys serve on; without any, callers are told.
      log.warn(
        { err: cause, url: url.origin + url.pathname, hasKeys: serving() !== undefined },
        "the key set cannot be read",
      );
    }
  }

  /** Asks unless that was tried just now; who comes meanwhile waits for the same answer. */
  function refresh(): Promise<void> {
    const isRecent = Math.abs(nowMs() - askedAtMs) < (good === undefined ? pauseWithoutKeysMs : pauseMs);
    if (asking === undefined && !isRecent) {
      asking = ask().finally(() => {
        asking = undefined;
      });
    }
    return asking ?? Promise.resolve();
  }

  function serving(): JWTVerifyGetKey | undefined {
    return good !== undefined && nowMs() - good.atMs <= lastGoodKeysMs ? good.keys : undefined;
  }

  return async (header, token) => {
    const known = serving();
    if (known !== undefined) {
      if (good !== undefined && nowMs() - good.atMs > refreshAfterMs) void refresh();
      try {
        return await known(header, token);
      } catch (cause) {
        if (!(cause instanceof errors.JWKSNoMatchingKey)) throw cause;
      }
    }
    await refresh();
    const keys = serving();
    if (keys !== undefined) return keys(header, token);
    throw new Failure("STORE_UNAVAILABLE", "the keys that tokens are checked with cannot be read now", {
      retryAfterMs: pauseWithoutKeysMs,
    });
  };
}

async function fetchKeys(url: URL): Promise<JWTVerifyGetKey> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(answerWithinMs) });
  if (!answer.ok) throw new Error(`HTTP status ${answer.status}`);
  const keys = keySet(await answer.json());
  if (keys === undefined) throw new Error("the answer is not a JWK set");
  return keys;
}
