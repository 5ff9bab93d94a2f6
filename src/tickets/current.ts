import { isDeepStrictEqual } from "node:util";
import { connectTicketSystem } from "./connect.ts";
import type { TicketLookups } from "./lookups.ts";
import type { TicketSettings } from "./settings.ts";
import { loadToken } from "./token.ts";

/** The ticket system in use, which another config file may replace. Disposing gives up what is under way. */
export type CurrentTickets = AsyncDisposable & {
  /** undefined: none is configured. */
  get(): TicketLookups | undefined;
  /**
   * Gets ready what the settings name; the answer puts it in use. The same settings with the same token
   * keep what is in use and what it remembers. Throws a StartupError for the token's file.
   */
  prepare(settings: TicketSettings): () => void;
};

/** Connects what the settings name. Throws a StartupError for the token's file. */
export function createCurrentTickets(
  first: TicketSettings,
  surroundings: Parameters<typeof connectTicketSystem>[1],
): CurrentTickets {
  let current = connect(first);
  const retired = new Map<TicketLookups, NodeJS.Timeout>();

  function connect(settings: TicketSettings) {
    const lookups = connectTicketSystem(settings, {
      ...surroundings,
      onPaused(isPaused) {
        // One that is not in use any more may still notice something.
        if (current.lookups === lookups) surroundings.onPaused(isPaused);
      },
    });
    return { settings, token: tokenOf(settings), lookups };
  }

  /** Whoever waits for it gets its answer. */
  function retire(lookups: TicketLookups): void {
    const timer = setTimeout(() => {
      retired.delete(lookups);
      void lookups.close();
    }, surroundings.limits.ticketRequestMs);
    timer.unref();
    retired.set(lookups, timer);
  }

  return {
    get: () => current.lookups,
    prepare(settings) {
      const next = connect(settings);
      if (next.token === current.token && isDeepStrictEqual(next.settings, current.settings)) {
        return () => undefined;
      }
      return () => {
        const before = current.lookups;
        current = next;
        surroundings.onPaused(false);
        if (before !== undefined) retire(before);
      };
    },
    async [Symbol.asyncDispose]() {
      const closing = [...retired.keys()];
      for (const timer of retired.values()) clearTimeout(timer);
      if (current.lookups !== undefined) closing.push(current.lookups);
      await Promise.all(closing.map((lookups) => lookups.close()));
    },
  };
}

function tokenOf(settings: TicketSettings): string | undefined {
  return settings.system === undefined ? undefined : loadToken(settings);
}
