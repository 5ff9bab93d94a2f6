import { Command } from "commander";
import { botVersions, polymarketCompatibility } from "../specification.ts";
import { version } from "../version.ts";
import { printLine } from "./output/stdout.ts";

export function versionCommand(): Command {
  return new Command("version")
    .description(
      "Print which version this is, and which versions of specification, schema and venue it is built to.",
    )
    .option("--json", "answer in JSON, with the history of the specifications")
    .action(async (options: { readonly json?: true }) => {
      await printLine(options.json ? jsonText() : plainText());
    });
}

function jsonText(): string {
  return JSON.stringify({
    implementation: version,
    node: process.versions.node,
    bots: botVersions,
    polymarket: polymarketCompatibility,
  });
}

function plainText(): string {
  const yesNo = (value: boolean) => (value ? "yes" : "no");
  const venue = polymarketCompatibility;
  return [
    `governance ${version} (Node ${process.versions.node})`,
    "",
    ...botVersions.map(
      (bot) =>
        `${bot.bot_id.padEnd(27)} spec ${bot.spec}, implementation ${bot.implementation}, schema ${bot.schema}, ` +
        `${bot.released === null ? `not released (planned ${bot.planned_release})` : `released ${bot.released}`}`,
    ),
    "",
    `Polymarket: CLOB ${venue.clob_version}, collateral ${venue.collateral_asset}, ` +
      `EIP-712 exchange domain ${venue.eip712_exchange_domain_version}, ${venue.settlement_contract}, ${venue.sdk}`,
    `  networks ${venue.networks.join(", ")}; multi-chain ${yesNo(venue.multi_chain_ready)}; ` +
      `builder codes ${yesNo(venue.aware_of_builder_code)}; ` +
      `negative-risk markets ${yesNo(venue.aware_of_negative_risk_markets)}`,
  ].join("\n");
}
