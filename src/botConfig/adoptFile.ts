import { isDeepStrictEqual } from "node:util";
import type { AlertDelivery } from "../alerts/delivery.ts";
import { type ConfigFile, type LoadedFile, parameterNames } from "../configFile.ts";
import type { Adopted } from "../followConfigFile.ts";
import { StartupError } from "../startupError.ts";
import type { CurrentTickets } from "../tickets/current.ts";
import { BelowFloor, refuseBelowFloor } from "./change.ts";
import type { Floors } from "./floors.ts";
import type { Settings } from "./settings.ts";

/** Puts a config file in force as a whole while the service runs, or refuses it and changes nothing. */
export function createAdoptFile(dependencies: {
  readonly settings: Settings;
  readonly tickets: CurrentTickets;
  readonly alerts: Pick<AlertDelivery, "prepare">;
  /** Told when it is refused because of a floor. */
  readonly floors: Pick<Floors, "refused">;
}): (loaded: LoadedFile) => Adopted {
  const { settings, tickets, alerts, floors } = dependencies;

  return (loaded) => {
    let useTickets: () => void;
    let useAlerts: () => void;
    try {
      refuseLowered(settings.configFile().values, loaded.values);
      useTickets = tickets.prepare(loaded.values.tickets);
      useAlerts = alerts.prepare(loaded.values.alerts);
    } catch (cause) {
      return { kind: "refused", problem: problemOf(cause) };
    }
    const changed = !isDeepStrictEqual(loaded, settings.configFile());
    useTickets();
    useAlerts();
    if (changed) settings.adoptFile(loaded);
    const { version: policyVersion, mode } = settings.policy();
    return { kind: "in_force", changed, policyVersion, mode };
  };

  function problemOf(cause: unknown): string {
    if (cause instanceof StartupError) return cause.message.replace(/^GOVERNANCE_CONFIG_FILE: /, "");
    if (!(cause instanceof BelowFloor)) throw cause;
    void floors.refused(cause);
    return `${cause.botId}.${cause.paramName}: ${cause.message}`;
  }
}

/** R2, R3: a change at run time may not go below a floor; what was below it when the service started stays. */
function refuseLowered(now: ConfigFile, next: ConfigFile): void {
  for (const botId of ["gov.useractivityledger", "gov.parameterchangeauditor"] as const) {
    const before: Readonly<Record<string, unknown>> = now[botId];
    const after: Readonly<Record<string, unknown>> = next[botId];
    for (const paramName of parameterNames(botId)) {
      if (after[paramName] !== before[paramName]) refuseBelowFloor(botId, paramName, after[paramName]);
    }
  }
}
