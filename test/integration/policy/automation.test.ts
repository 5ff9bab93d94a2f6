import { afterAll, beforeAll, expect, test } from "vitest";
import { auditorAs } from "../../support/callers.ts";
import { readExport } from "../../support/exportReader.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";

const config = `
gov.parameterchangeauditor: { mode: enforce }
tiers: { "strategy.*": P0 }
automation: [{ subject: ttl-refresher, pattern: strategy.*.TTL_seconds }]
`;

let service: TestService;
beforeAll(async () => {
  service = await startTestService({ config });
});
afterAll(() => service[Symbol.asyncDispose]());

/** A write by a token's subject, whatever editor it names. */
async function writeAs(subject: string, paramName: string, editorId: string, ticketRef?: string) {
  const client = await auditorAs(service, "config-store", { subject });
  return client.checkWrite(write(paramName, { editorId, ...(ticketRef === undefined ? {} : { ticketRef }) }));
}

test("a write that the policy names as automation is recorded and reported in full, as automated", async () => {
  const answer = await writeAs("ttl-refresher", "ttl-seconds", "alice@polytraders", "PTRD-1");
  expect(answer).toMatchObject({ allowed: true, paramTier: "P0", report: { automated: true } });
  const compliance = await auditorAs(service, "compliance");
  const { changes } = await compliance.listParameterChanges({ ticketRef: "PTRD-1" });
  expect(changes).toMatchObject([
    {
      automated: true,
      report: { automated: true, editorId: "alice@polytraders", recordedBy: "ttl-refresher" },
    },
  ]);
  const { lines } = await readExport(compliance.exportParameterChanges({ ticketRef: "PTRD-1" }));
  expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
    { event_type: "PARAM_CHANGED", automated: true, recorded_by: "ttl-refresher" },
  ]);
});

test("naming the automation as the editor does not make a write automated", async () => {
  expect((await writeAs("mallory", "ttl_seconds", "ttl-refresher", "PTRD-2")).report?.automated).toBe(false);
});

test("other parameters that automation writes are not automated", async () => {
  expect((await writeAs("ttl-refresher", "edge", "ttl-refresher", "PTRD-3")).report?.automated).toBe(false);
});

test("automation never lifts the ticket rule", async () => {
  expect(await writeAs("ttl-refresher", "ttl_seconds", "ttl-refresher")).toMatchObject({
    allowed: false,
    reasonCode: "AUDIT_TICKET_REQUIRED",
    report: { automated: true, eventType: "AUDIT_TICKET_REQUIRED" },
  });
});

test("an ungated write of automation is recorded as automated too", async () => {
  const client = await auditorAs(service, "config-store", { subject: "ttl-refresher" });
  const { report } = await client.recordUngatedWrite({
    ...write("ttl_seconds"),
    writeId: "w1",
    changedAt: { seconds: 1_778_320_800n, nanos: 0 },
    cause: "UNAVAILABLE",
  });
  expect(report).toMatchObject({ eventType: "UNGATED_WRITE", automated: true });
});
