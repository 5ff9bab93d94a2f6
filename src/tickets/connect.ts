import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { createJira } from "./jira.ts";
import { createLookups, type LookupLimits, type LookupOutcome, type TicketLookups } from "./lookups.ts";
import type { TicketSettings } from "./settings.ts";
import { loadToken } from "./token.ts";
import { createWebhook } from "./webhook.ts";

/** The configured ticket system; undefined when there is none. Throws a StartupError for its token's file. */
export function connectTicketSystem(
  settings: TicketSettings,
  surroundings: {
    readonly limits: LookupLimits;
    readonly clock: Clock;
    readonly onOutcome: (outcome: LookupOutcome, seconds: number | undefined) => void;
    readonly onPaused: (isPaused: boolean) => void;
    readonly log: Logger;
  },
): TicketLookups | undefined {
  if (settings.system === undefined) return undefined;
  const token = loadToken(settings);
  const system = settings.system === "jira" ? createJira(settings, token) : createWebhook(settings, token);
  const { budget_ms: budgetMs, cache_seconds: cacheSeconds } = settings;
  return createLookups({ ...surroundings, system, budgetMs, cacheMs: cacheSeconds * 1000 });
}
