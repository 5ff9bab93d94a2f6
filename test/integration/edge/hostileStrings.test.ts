import { existsSync, readFileSync } from "node:fs";
import type { Client } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ParameterChangeAuditorService } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { readExport } from "../../support/exportReader.ts";
import { logRecords } from "../../support/logRecords.ts";
import { type Protocol, startTestService, type TestService } from "../../support/service.ts";
import { outcomeOf } from "./refusals.ts";

/** Strings that break things, from the big list where it is at hand, and some of our own. */
const list = new URL("../../../../shared/data/hostile/blns.json", import.meta.url);
const own = [
  "'; drop table ledger.user_action; --",
  "\x1b[2J\x1b[31m",
  "line\r\nanother\u2028third\u2029fourth\u0085",
  "__proto__",
  "constructor",
  "\ufeffbom",
  "\u202eright to left",
  '{"a":1}\n',
  "\\u0000",
  "%s%n",
  "\ufffd",
  "\ud83d\ude00".repeat(8),
];

function hostileStrings(): string[] {
  // In CI the list has to be there: reading it fails when it is not.
  if (!existsSync(list) && process.env.CI === undefined) return own;
  const parsed: unknown = JSON.parse(readFileSync(list, "utf8"));
  if (!Array.isArray(parsed)) throw new Error("the list is no list");
  return [...own, ...parsed.filter((one) => typeof one === "string")];
}

const strings = [...new Set(hostileStrings())];
const fits = (maxBytes: number) =>
  strings.filter((one) => one !== "" && Buffer.byteLength(one) <= maxBytes && !one.includes("\0"));

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

async function ledgerOver(protocol: Protocol): Promise<Client<typeof UserActivityLedgerService>> {
  return service.client(
    UserActivityLedgerService,
    await service.token({ roles: ["bot", "compliance"] }),
    protocol,
  );
}

async function auditorOver(protocol: Protocol): Promise<Client<typeof ParameterChangeAuditorService>> {
  return service.client(
    ParameterChangeAuditorService,
    await service.token({ roles: ["bot", "compliance"] }),
    protocol,
  );
}

async function inParallel<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < items.length; from += 50) {
    await Promise.all(items.slice(from, from + 50).map((item, i) => work(item, from + i)));
  }
}

describe.each(["grpc", "json"] as const)(
  "over %s, a hostile string is kept exactly or refused with its field",
  (protocol) => {
    const session = `hostile-${protocol}`;

    test("as an action's ids and inside its params", async () => {
      const ledger = await ledgerOver(protocol);
      await inParallel(strings, async (hostile, i) => {
        const outcome = await outcomeOf(() =>
          ledger.recordUserAction({
            eventId: `${protocol}-${i}-${hostile}`,
            wallet: "0xdeadbeef00000000000000000000000000000001",
            sessionId: session,
            actionType: "HALT",
            traceId: hostile,
            params: { i, [hostile]: hostile },
          }),
        );
        const isLong = Buffer.byteLength(`${protocol}-${i}-${hostile}`) > 128;
        if (isLong)
          expect(outcome).toMatchObject({ refusal: { reason: "INVALID_FIELD", field: "event_id" } });
        else
          expect(outcome).toMatchObject({
            answer: { report: { traceId: hostile, actionParams: { [hostile]: hostile } } },
          });
      });

      const { actions } = await ledger.listUserActions({ sessionId: session, pageSize: 1000 });
      const { lines } = await readExport(ledger.exportUserActions({ sessionId: session }));
      const sent = strings.filter((hostile, i) => Buffer.byteLength(`${protocol}-${i}-${hostile}`) <= 128);
      expect(lines).toHaveLength(sent.length);
      expect(new Set(actions.map((action) => action.report?.traceId))).toEqual(new Set(sent));
      const exported = lines.map((line): unknown => JSON.parse(line));
      for (const hostile of sent) {
        const i = strings.indexOf(hostile);
        const eventId = `${protocol}-${i}-${hostile}`;
        const params = { i, ...Object.fromEntries([[hostile, hostile]]) };
        expect(actions.find(({ report }) => report?.eventId === eventId)?.report?.actionParams).toEqual(
          params,
        );
        expect(exported).toContainEqual(
          expect.objectContaining({
            event_id: eventId,
            action_params: params,
            ...(hostile === "" ? {} : { trace_id: hostile }),
          }),
        );
      }
    });

    test("as a write's names, editor and values", async () => {
      const auditor = await auditorOver(protocol);
      const names = fits(256);
      await inParallel(names, async (hostile, i) => {
        await auditor.checkWrite({
          botSlug: `bot-${protocol}`,
          paramName: hostile,
          editorId: hostile,
          ticketRef: hostile,
          writeId: `${protocol}-${i}`,
          newValueJson: JSON.stringify({ [hostile]: hostile }),
        });
      });
      const { changes } = await auditor.listParameterChanges({ botSlug: `bot-${protocol}`, pageSize: 1000 });
      const { lines } = await readExport(auditor.exportParameterChanges({ botSlug: `bot-${protocol}` }));
      expect(lines).toHaveLength(names.length);
      const exported = lines.map((line): unknown => JSON.parse(line));
      for (const [i, hostile] of names.entries()) {
        const report = changes.find((change) => change.writeId === `${protocol}-${i}`)?.report;
        expect(report).toMatchObject({ paramName: hostile, editorId: hostile, ticketRef: hostile });
        const value = Object.fromEntries([[hostile, hostile]]);
        expect(JSON.parse(report?.newValueJson ?? "null")).toEqual(value);
        expect(exported).toContainEqual(
          expect.objectContaining({
            param_name: hostile,
            editor_id: hostile,
            ticket_ref: hostile,
            new_value: value,
          }),
        );
      }
    });
  },
);

test("a hostile string is found as the session it is, and nothing else with it", async () => {
  const ledger = await ledgerOver("grpc");
  await inParallel(fits(128), async (sessionId, i) => {
    await ledger.recordUserAction({
      eventId: `session-${i}`,
      wallet: "0xdeadbeef00000000000000000000000000000001",
      sessionId,
      actionType: "HALT",
    });
    const { actions } = await ledger.listUserActions({ sessionId });
    expect(actions.map(({ report }) => report?.eventId)).toContain(`session-${i}`);
    expect(actions.every(({ report }) => report?.sessionId === sessionId)).toBe(true);
  });
});

test("a hostile string in the log is one line of JSON, with nothing in it that a terminal obeys", async () => {
  const records = logRecords("debug");
  await using logging = await startTestService({ log: records.log, config: "tiers: { '*': P0 }\n" });
  const token = await logging.token({ roles: ["bot"], subject: "bot\r\n\x1b[31m" });
  const auditor = logging.client(ParameterChangeAuditorService, token);
  await inParallel(fits(256), async (hostile) => {
    await auditor.checkWrite({
      botSlug: "bot",
      paramName: hostile,
      editorId: hostile,
      newValueJson: JSON.stringify({ [hostile]: hostile }),
    });
  });
  const lines = records.text().trimEnd().split("\n");
  expect(lines.length).toBe(records.records().length);
  for (const line of lines) expect(JSON.parse(line)).toBeTypeOf("object");
  expect(records.text()).toContain("drop table ledger.user_action");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  expect(records.text()).not.toMatch(/[\x00-\x09\x0b-\x1f]/);
});
