import { test } from "vitest";
import { envOf, runCli } from "../../support/cli.ts";
import { otherWallet } from "../ledger/actions.ts";
import { startPast } from "./past.ts";
test("dbg", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "a"); await past.act("2016-01-30T12:00:00Z", "b", { wallet: otherWallet });
  await past.act("2016-02-10T12:00:00Z", "c", { wallet: otherWallet });
  await past.change("2016-02-10T12:00:00Z", "limit");
  past.comeBack();
  for (const args of [["hold", "place", "matter-7", "--wallet", "0xdeadbeef00000000000000000000000000000001", "--to", "2027-01-01", "--reason", "matter 7"], ["hold", "list", "--in-force"], ["purge", "--dry-run"], ["purge"], ["hold", "release", "matter-7", "--reason", "matter 7 is closed"]]) {
    const run = await runCli(args, { env: envOf(past.service) });
    console.log(`$ governance ${args.join(" ")}\n${run.stdout}${run.stderr}`);
  }
});
