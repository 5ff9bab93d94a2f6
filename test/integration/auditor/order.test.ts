import { afterAll, beforeAll, expect, test } from "vitest";
import { Durability } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs } from "../../support/callers.ts";
import { expectTrailerToProve, readExport } from "../../support/exportReader.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { write } from "./writes.ts";

let service: TestService;
let configStore: AuditorClient;
let compliance: AuditorClient;
beforeAll(async () => {
  service = await startTestService();
  configStore = await auditorAs(service, "config-store");
  compliance = await auditorAs(service, "compliance");
  await configStore.checkWrite(write("warm up")); // Its token is verified, so that no call overtakes another there.
});
afterAll(() => service[Symbol.asyncDispose]());

type Line = { param_name: string; new_value: number; decision_id: string; position: number };

async function exportedLines(botSlug: string): Promise<Line[]> {
  const received = await readExport(compliance.exportParameterChanges({ botSlug }));
  expectTrailerToProve(received);
  return received.lines.map((line): Line => JSON.parse(line));
}

test("with 50 writes in flight each parameter's writes are on record in the order they were sent", async () => {
  const sent: { paramName: string; value: number }[] = [];
  for (let value = 0; value < 300; value++) sent.push({ paramName: `order_${value % 7}`, value });
  const underWay = new Set<Promise<unknown>>();
  for (const { paramName, value } of sent) {
    const call = configStore
      .checkWrite(write(paramName, { botSlug: "order.bot", newValueJson: String(value) }))
      .then(({ durability }) => expect(durability).toBe(Durability.DURABLE));
    underWay.add(call);
    void call.finally(() => underWay.delete(call));
    if (underWay.size >= 50) await Promise.race(underWay);
  }
  await Promise.all(underWay);

  const lines = await exportedLines("order.bot");
  expect(lines).toHaveLength(300);
  for (const [paramName, own] of Map.groupBy(lines, (line) => line.param_name)) {
    const inOrder = sent.filter((write) => write.paramName === paramName).map((write) => write.value);
    expect(own.map((line) => line.new_value)).toEqual(inOrder);
  }
});

test("50 callers at once are each answered, and each decision is on record once, under its own id", async () => {
  const callers = await Promise.all(
    Array.from({ length: 50 }, (_, n) => auditorAs(service, "config-store", { subject: `store-${n}` })),
  );
  const answers = await Promise.all(
    callers.map((caller, n) =>
      caller.checkWrite(write("crowd", { botSlug: "crowd.bot", newValueJson: String(n) })),
    ),
  );
  const lines = await exportedLines("crowd.bot");
  expect(new Map(lines.map((line) => [line.decision_id, line.new_value]))).toEqual(
    new Map(answers.map((answer, n) => [answer.decisionId, n])),
  );
  const positions = lines.map((line) => line.position);
  expect(positions).toEqual(positions.toSorted((a, b) => a - b));
});
