import { test, expect } from "vitest";
import { startTestService } from "../../support/service.ts";
import { startRelay } from "../../support/relay.ts";
import { startCli, runCli, envOf } from "../../support/cli.ts";
import { ledgerAs } from "../../support/callers.ts";
test("half open", async () => {
  await using service = await startTestService();
  const bot = await ledgerAs(service, "bot");
  for (let i = 0; i < 20; i++) await bot.recordUserAction({ eventId: `l${i}`, wallet: "0xdeadbeef00000000000000000000000000000001", sessionId: "s", actionType: "HALT", paramsJson: JSON.stringify({f: "x".repeat(60000)}) });
  const t0 = performance.now();
  await using relay = await startRelay(service.grpcPort, 700_000, "hold");
  const run = await runCli(["export", "--output", "/tmp/h/x.jsonl"], { env: envOf(service, relay.port) });
  console.log(performance.now() - t0, run);
  const r1 = await startRelay(service.grpcPort, 100, "hold");
  const t1 = performance.now();
  console.log(await runCli(["list"], { env: envOf(service, r1.port) }), performance.now() - t1);
  await r1[Symbol.asyncDispose]();
}, 120_000);
