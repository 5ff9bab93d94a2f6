import { version } from "./version.ts";

/** Facts of the specifications that are served as they stand (spec 001 and 002, §24 and §25; R27). */

type Versions = {
  readonly bot_id: string;
  readonly spec: string;
  readonly implementation: string;
  readonly schema: number;
  readonly released: string | null;
  readonly planned_release: string;
  /** §24: what the bot has to do with the venue. */
  readonly polymarket_notes: string;
  readonly migration_history: readonly {
    readonly date: string;
    readonly from: string;
    readonly to: string;
    readonly reason: string;
    readonly action_taken: string;
  }[];
};

const history = [
  {
    date: "2026-04-28",
    from: "n/a",
    to: "v2-spec",
    reason: "Spec drafted post-CLOB-V2 cutover; bot not yet implemented",
    action_taken: "Designed against V2 schema (pUSD, builder codes, V2 EIP-712 domain)",
  },
] as const;

/** §25 of both bots, and their notes of §24: the version of the specification each was built to. */
export const botVersions: readonly Versions[] = [
  {
    bot_id: "gov.useractivityledger",
    spec: "2.0.0",
    implementation: version,
    schema: 2,
    released: null,
    planned_release: "Q4-2026",
    polymarket_notes: "UserActivityLedger records user actions in pUSD denomination; no direct CLOB calls.",
    migration_history: history,
  },
  {
    bot_id: "gov.parameterchangeauditor",
    spec: "2.0.0",
    implementation: version,
    schema: 2,
    released: null,
    planned_release: "Q3-2026",
    polymarket_notes:
      "ParameterChangeAuditor is an internal config audit service; pUSD references appear only in logged parameter values for strategies.",
    migration_history: history,
  },
];

/** The rest of §24, in which both bots say the same. */
export const polymarketCompatibility = {
  clob_version: "v2",
  collateral_asset: "pUSD",
  eip712_exchange_domain_version: 2,
  aware_of_builder_code: false,
  aware_of_negative_risk_markets: false,
  multi_chain_ready: false,
  sdk: "py-clob-client-v2",
  settlement_contract: "CTFExchangeV2",
  api_surfaces: ["internal"],
  networks: ["polygon"],
} as const;
