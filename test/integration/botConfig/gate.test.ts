import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  Mode,
  TicketStatus,
  Verdict,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { auditorAs } from "../../support/callers.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import {
  auditor,
  type ConfigClient,
  change,
  configAs,
  decisionRows,
  ledger,
  parameterOf,
  storedRows,
} from "./config.ts";

const running = new AsyncDisposableStack();
afterAll(() => running.disposeAsync());

const noTicket = { ticketRef: "" };
const rejected = {
  verdict: Verdict.REJECT,
  reasonCode: "AUDIT_TICKET_REQUIRED",
  paramTier: "P0",
  ticketStatus: TicketStatus.ABSENT,
};

describe("in enforce", () => {
  let service: TestService;
  let operator: ConfigClient;
  beforeAll(async () => {
    service = running.use(
      await startTestService({ config: "gov.parameterchangeauditor: { mode: enforce }" }),
    );
    operator = await configAs(service, "operator");
  });

  test("a change without a ticket is rejected and recorded as rejected, and the parameter stays", async () => {
    const { verdict, parameter } = await operator.updateBotConfig(
      change(ledger, "publish_to_user", false, noTicket),
    );
    expect(verdict).toMatchObject({ ...rejected, allowed: false, mode: Mode.ENFORCE });
    expect(parameter?.value?.kind).toEqual({ case: "boolValue", value: true });
    expect(await parameterOf(operator, ledger, "publish_to_user")).toEqual([true, "DEFAULT"]);
    expect((await decisionRows(service)).map((row) => row.record_id)).toEqual([verdict?.decisionId]);
    expect(await storedRows(service)).toEqual([]);
  });

  test("with a ticket it is allowed, and stored with its decision", async () => {
    const { verdict } = await operator.updateBotConfig(change(ledger, "publish_to_user", false));
    expect(verdict).toMatchObject({ allowed: true, verdict: Verdict.ALLOW, paramTier: "P0" });
    expect(await storedRows(service)).toMatchObject([
      {
        bot_id: ledger,
        param_name: "publish_to_user",
        value_json: "false",
        decision_id: verdict?.decisionId,
      },
    ]);
  });

  test("leaving enforce needs a ticket itself", async () => {
    const { verdict } = await operator.updateBotConfig(change(auditor, "mode", "shadow_only", noTicket));
    expect(verdict).toMatchObject({ ...rejected, allowed: false });
    expect(await parameterOf(operator, auditor, "mode")).toEqual(["enforce", "FILE"]);
  });
});

test("in shadow_only the same verdict is recorded, and the change goes through (R5)", async () => {
  await using service = await startTestService();
  const operator = await configAs(service, "operator");
  const { verdict } = await operator.updateBotConfig(change(ledger, "publish_to_user", false, noTicket));
  expect(verdict).toMatchObject({ ...rejected, allowed: true, mode: Mode.SHADOW_ONLY });
  expect(await parameterOf(operator, ledger, "publish_to_user")).toEqual([false, "STORED"]);
});

test("on record as the editor is the token's subject; whom the request names is kept as a claim", async () => {
  await using service = await startTestService();
  const operator = await configAs(service, "operator", "operator-7");
  const editorId = "somebody else";
  const { verdict } = await operator.updateBotConfig(change(ledger, "retain_days", 3000, { editorId }));
  expect(verdict?.report).toMatchObject({ editorId: "operator-7", recordedBy: "operator-7" });
  expect(await storedRows(service)).toMatchObject([{ editor: "operator-7", claimed_editor_id: editorId }]);
  const compliance = await auditorAs(service, "compliance");
  const { changes } = await compliance.listParameterChanges({ editorId: "operator-7" });
  expect(changes.map(({ report }) => [report?.paramName, report?.newValueJson])).toEqual([
    ["retain_days", "3000"],
  ]);
});

test("a change that came into force is confirmed as applied, a rejected one is not (R17)", async () => {
  await using service = await startTestService({ config: "gov.parameterchangeauditor: { mode: enforce }" });
  const operator = await configAs(service, "operator", "operator-7");
  const { verdict } = await operator.updateBotConfig(change(ledger, "publish_to_user", false));
  await operator.updateBotConfig(change(ledger, "publish_to_user", true, noTicket));
  const confirmed = await service.database.query(
    "superuser",
    "select decision_id, outcome, confirmed_by from auditor.confirmation",
  );
  expect(confirmed).toEqual([
    { decision_id: verdict?.decisionId, outcome: "APPLIED", confirmed_by: "operator-7" },
  ]);
});

describe("with the service's own credentials, past its code", () => {
  let service: TestService;
  let client: pg.Client;
  beforeAll(async () => {
    service = running.use(await startTestService());
    client = new pg.Client({ connectionString: service.database.url("service") });
    await client.connect();
    running.defer(() => client.end());
  });

  const store = (decisionId: string | undefined) =>
    client.query("select maintenance.store_bot_config($1, 'x', now())", [decisionId]);

  test("nothing is stored without a decision on record", async () => {
    await expect(store("01HX9Z")).rejects.toMatchObject({ code: "P0002" });
    await expect(
      client.query(
        `insert into maintenance.bot_config (bot_id, param_name, value_json, decision_id, editor, claimed_editor_id, at)
         values ('gov.useractivityledger', 'publish_to_user', 'false', 'x', 'x', 'x', now())`,
      ),
    ).rejects.toMatchObject({ code: "42501" });
  });

  test("no value below a floor is stored, though a decision allowed it", async () => {
    const configStore = await auditorAs(service, "config-store");
    for (const [botSlug, paramName] of [
      [ledger, "retain_days"],
      [auditor, "retain_history_days"],
    ] as const) {
      const write = { botSlug, paramName, newValueJson: "30", editorId: "mallory" };
      const { allowed, decisionId } = await configStore.checkWrite(write);
      expect(allowed).toBe(true);
      await expect(store(decisionId)).rejects.toMatchObject({ code: "23514" });
    }
    expect(await storedRows(service)).toEqual([]);
  });
});
