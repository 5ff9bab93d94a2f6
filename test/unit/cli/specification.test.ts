import { expect, test } from "vitest";
import { botVersions, polymarketCompatibility } from "../../../src/specification.ts";

const history = [
  {
    date: "2026-04-28",
    from: "n/a",
    to: "v2-spec",
    reason: "Spec drafted post-CLOB-V2 cutover; bot not yet implemented",
    action_taken: "Designed against V2 schema (pUSD, builder codes, V2 EIP-712 domain)",
  },
];
const printed = { spec: "2.0.0", implementation: "0.1.0", schema: 2, released: null };

test("what §24 prints of both bots is served", () => {
  expect(polymarketCompatibility).toEqual({
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
  });
});

test("what §25 prints of UserActivityLedger is served, and its notes of §24", () => {
  expect(botVersions[0]).toEqual({
    bot_id: "gov.useractivityledger",
    ...printed,
    planned_release: "Q4-2026",
    polymarket_notes: "UserActivityLedger records user actions in pUSD denomination; no direct CLOB calls.",
    migration_history: history,
  });
});

test("what §25 prints of ParameterChangeAuditor is served, and its notes of §24", () => {
  expect(botVersions[1]).toEqual({
    bot_id: "gov.parameterchangeauditor",
    ...printed,
    planned_release: "Q3-2026",
    polymarket_notes:
      "ParameterChangeAuditor is an internal config audit service; pUSD references appear only in logged parameter values for strategies.",
    migration_history: history,
  });
});
