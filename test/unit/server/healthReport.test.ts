import { describe, expect, test } from "vitest";
import type { BufferState } from "../../../src/journal/spool/spool.ts";
import { auditorHealth, ledgerHealth } from "../../../src/server/healthReport.ts";
import { version } from "../../../src/version.ts";

const there = { isReachable: true, isPrepared: true };
const away = { isReachable: false, isPrepared: true };
const empty: BufferState = { records: 0, bytes: 0, oldestMicros: undefined, isTaking: true };
const holding = (records: number): BufferState => ({
  ...empty,
  records,
  bytes: records * 500,
  oldestMicros: 1,
});
const broken: BufferState = { ...empty, isTaking: false };

const ledger = (more: Partial<Parameters<typeof ledgerHealth>[0]> = {}) =>
  ledgerHealth({ postgres: there, buffer: empty, retentionDays: 2555, ...more });
const auditor = (more: Partial<Parameters<typeof auditorHealth>[0]> = {}) =>
  auditorHealth({ postgres: there, buffer: empty, retentionDays: 365, lastChangeSeconds: 10, ...more });

describe("the ledger is", () => {
  test.each<[string, string, Parameters<typeof ledger>[0]]>([
    ["green", "when Postgres is there, nothing is buffered and retention is long enough", {}],
    ["amber", "when Postgres is away: the buffer takes the records", { postgres: away }],
    ["amber", "while Postgres is being prepared", { postgres: { isReachable: true, isPrepared: false } }],
    ["amber", "when 1 record is buffered", { buffer: holding(1) }],
    ["amber", "when 500 records are buffered", { buffer: holding(500) }],
    ["red", "when 501 records are buffered", { buffer: holding(501) }],
    ["amber", "when the buffer would take no record", { buffer: broken }],
    ["red", "when neither Postgres nor the buffer takes a record", { postgres: away, buffer: broken }],
    ["red", "when retention is 2554 days", { retentionDays: 2554 }],
  ])("%s %s", (status, _, now) => {
    expect(ledger(now).status).toBe(status);
  });
});

describe("the auditor is", () => {
  test.each<[string, string, Parameters<typeof auditor>[0]]>([
    ["green", "when Postgres is there, nothing is buffered and a change was recorded lately", {}],
    ["red", "when Postgres is away", { postgres: away }],
    ["amber", "while Postgres is being prepared", { postgres: { isReachable: true, isPrepared: false } }],
    ["amber", "when 1 record is buffered", { buffer: holding(1) }],
    ["amber", "when 100 records are buffered", { buffer: holding(100) }],
    ["red", "when 101 records are buffered", { buffer: holding(101) }],
    ["green", "59:59 after the last change", { lastChangeSeconds: 3599 }],
    ["amber", "an hour after the last change", { lastChangeSeconds: 3600 }],
    ["amber", "when no change is known", { lastChangeSeconds: undefined }],
    ["amber", "when retention is 364 days", { retentionDays: 364 }],
    ["red", "when retention is 89 days", { retentionDays: 89 }],
  ])("%s %s", (status, _, now) => {
    expect(auditor(now).status).toBe(status);
  });
});

test("every check tells its value and its limit, and what is not green why", () => {
  expect(auditor({ postgres: away, buffer: holding(7), lastChangeSeconds: undefined }).checks).toEqual({
    postgres_reachable: { status: "red", value: false, limit: true, reason: "Postgres does not answer" },
    buffer_size: { status: "amber", value: 7, limit: 100, reason: "records wait for Postgres" },
    last_change_seconds: {
      status: "amber",
      value: null,
      limit: 3600,
      reason: "idle: no change was recorded in the last hour",
    },
    retention_history_days: { status: "green", value: 365, limit: 365 },
  });
});

test("the versions are those of the specification", () => {
  expect(ledger()).toMatchObject({
    bot_id: "gov.useractivityledger",
    version: {
      spec: "2.0.0",
      implementation: version,
      schema: 2,
      released: null,
      planned_release: "Q4-2026",
    },
    polymarket: { clob_version: "v2", networks: ["polygon"] },
  });
  expect(auditor()).toMatchObject({
    bot_id: "gov.parameterchangeauditor",
    version: { planned_release: "Q3-2026", migration_history: [{ from: "n/a", to: "v2-spec" }] },
  });
});
