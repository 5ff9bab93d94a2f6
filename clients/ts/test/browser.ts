// What a browser has of the package: compiled without Node's types, and run on the HTTP listener.
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { ParameterChangeAuditorService, Verdict } from "polytraders-governance-client/v1";
import { reportsOfTrade } from "polytraders-governance-client/venue";

export async function isAllowedAsABrowserAsks(baseUrl: string, token: string): Promise<boolean> {
  const auditor = createClient(ParameterChangeAuditorService, createConnectTransport({ baseUrl }));
  const headers = { authorization: `Bearer ${token}` };
  const write = {
    botSlug: "strategy.browser",
    paramName: "size",
    editorId: "bot-7",
    newValueJson: "2",
    dryRun: true,
  };
  const { verdict } = await auditor.checkWrite(write, { headers });
  reportsOfTrade({ id: "t", takerOrderId: "o", traderSide: "TAKER" }, {});
  return verdict === Verdict.ALLOW;
}
