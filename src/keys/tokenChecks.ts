import type { Logger } from "pino";
import type { Config } from "../config.ts";
import { developmentAudience, developmentIssuer, loadDevelopmentKey } from "./developmentKey.ts";
import { loadJwks } from "./jwks.ts";

/** What tokens are checked with: the configured keys, or the development key of the data folder. */
export function tokenChecks(
  config: Config,
  dataDir: string,
  surroundings: { nowMs: () => number; log: Logger },
) {
  if (config.auth.kind === "jwks") {
    const { jwks, issuer, audience } = config.auth;
    return { keys: loadJwks(jwks, surroundings), issuer, audience };
  }
  const { checking } = loadDevelopmentKey(dataDir);
  return { keys: async () => checking, issuer: developmentIssuer, audience: developmentAudience };
}
