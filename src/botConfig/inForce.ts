import {
  type BotId,
  botParameters,
  type ConfigFile,
  type ConfigFileKeys,
  isBotId,
  valueProblem,
} from "../configFile.ts";

/** A value that UpdateBotConfig stored: the latest of its parameter. */
export type StoredValue = {
  /** The later change has the higher one. */
  readonly seq: number;
  readonly botId: string;
  readonly paramName: string;
  readonly value: unknown;
};

/** Where a value comes from; later ones win. */
export type Source = "default" | "file" | "stored";

/** The parameters of both bots as they are in force. */
export type InForce = {
  readonly values: Pick<ConfigFile, BotId>;
  source(botId: BotId, paramName: string): Source;
  /** Stored values without effect: another version stored them, and this one does not know or take them. */
  readonly unknown: readonly StoredValue[];
};

/** Defaults, then the config file (which `file` has laid over them), then what is stored. */
export function inForce(file: ConfigFile, inFile: ConfigFileKeys, stored: readonly StoredValue[]): InForce {
  const known = stored.filter(isKnown);
  const storedOf = (botId: BotId) =>
    new Map(known.filter((one) => one.botId === botId).map(({ paramName, value }) => [paramName, value]));
  const laidOver = <Id extends BotId>(botId: Id) => ({
    ...file[botId],
    ...Object.fromEntries(storedOf(botId)),
  });
  return {
    values: {
      "gov.useractivityledger": botParameters["gov.useractivityledger"].parse(
        laidOver("gov.useractivityledger"),
      ),
      "gov.parameterchangeauditor": botParameters["gov.parameterchangeauditor"].parse(
        laidOver("gov.parameterchangeauditor"),
      ),
    },
    source(botId, paramName) {
      if (storedOf(botId).has(paramName)) return "stored";
      return inFile[botId]?.has(paramName) ? "file" : "default";
    },
    unknown: stored.filter((one) => !isKnown(one)),
  };
}

function isKnown({ botId, paramName, value }: StoredValue): boolean {
  return isBotId(botId) && valueProblem(botId, paramName, value) === undefined;
}
