import { readFileSync } from "node:fs";
import { createLocalJWKSet, createRemoteJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import { StartupError } from "../startupError.ts";

const lastGoodKeysMs = 24 * 60 * 60 * 1000;

/**
 * The keys that tokens are checked with, from an http(s) URL or a file. A URL's are read again when a
 * token names an unknown key; while it cannot be reached, the last good ones serve for 24 hours.
 */
export function loadJwks(source: string): JWTVerifyGetKey {
  if (/^https?:/.test(source)) {
    if (URL.parse(source) === null) throw new StartupError(`GOVERNANCE_JWKS: ${source} is not a URL`);
    return remoteKeys(new URL(source));
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(source, "utf8"));
  } catch {
    throw new StartupError(`GOVERNANCE_JWKS: ${source} is neither a URL nor a readable JSON file`);
  }
  if (!isKeySet(parsed)) throw new StartupError(`GOVERNANCE_JWKS: ${source} is not a JWK set: {"keys": [...]}`);
  return createLocalJWKSet(parsed);
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  return typeof value === "object" && value !== null && "keys" in value && Array.isArray(value.keys);
}

function remoteKeys(url: URL): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(url, { timeoutDuration: 2_000, cooldownDuration: 10_000, cacheMaxAge: 10 * 60_000 });
  let lastGood: { keys: JWTVerifyGetKey; atMs: number } | undefined;
  return async (header, token) => {
    try {
      const key = await remote(header, token);
      const set = remote.jwks();
      if (set !== undefined) lastGood = { keys: createLocalJWKSet(set), atMs: Date.now() };
      return key;
    } catch (cause) {
      if (lastGood === undefined || Date.now() - lastGood.atMs > lastGoodKeysMs) throw cause;
      return lastGood.keys(header, token);
    }
  };
}
