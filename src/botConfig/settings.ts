import type { Logger } from "pino";
import type { Policy } from "../auditor/policy.ts";
import { type Pattern, parsePattern } from "../auditor/tiers.ts";
import type { ConfigFile, ConfigFileKeys, LoadedFile } from "../configFile.ts";
import type { LedgerSettings } from "../ledger/dependencies.ts";
import { type InForce, inForce, type StoredValue } from "./inForce.ts";
import { policyOf } from "./policyOf.ts";

/** What is in force on this replica, as the bots ask for it: each call tells the latest. */
export type Settings = {
  inForce(): InForce;
  ledger(): LedgerSettings;
  policy(): Policy;
  /** The parameters that are secrets whatever they are called. */
  secrets(): readonly Pattern[];
  /** Takes over what is stored. What was read before something later is passed over. */
  adopt(stored: readonly StoredValue[]): void;
  /** The config file in force. */
  configFile(): LoadedFile;
  /** Puts another config file below what is stored. */
  adoptFile(loaded: LoadedFile): void;
};

/** Starts with the file alone; what is stored comes by `adopt`. */
export function createSettings(options: {
  readonly file: ConfigFile;
  readonly inFile: ConfigFileKeys;
  readonly log: Logger;
}): Settings {
  let file: LoadedFile = { values: options.file, set: options.inFile };
  let current = stateOf([]);

  function stateOf(stored: readonly StoredValue[]) {
    const parameters = inForce(file.values, file.set, stored);
    const ledger = parameters.values["gov.useractivityledger"];
    return {
      stored,
      seq: Math.max(0, ...stored.map(({ seq }) => seq)),
      parameters,
      ledger: {
        mode: ledger.mode,
        retainDays: ledger.retain_days,
        scrubOnAccountClose: ledger.scrub_on_account_close,
        publishToUser: ledger.publish_to_user,
      },
      secrets: file.values.secrets.map(parsePattern),
      policy: policyOf({ ...file.values, ...parameters.values }),
    };
  }

  return {
    inForce: () => current.parameters,
    ledger: () => current.ledger,
    policy: () => current.policy,
    secrets: () => current.secrets,
    adopt(stored) {
      const next = stateOf(stored);
      if (next.seq <= current.seq) return;
      current = next;
      for (const { botId, paramName } of next.parameters.unknown) {
        options.log.warn(
          { botId, paramName },
          "a stored parameter has no effect: this version does not take it",
        );
      }
    },
    configFile: () => file,
    adoptFile(loaded) {
      file = loaded;
      current = stateOf(current.stored);
    },
  };
}
