import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parameterMessages } from "../../../src/botConfig/parameters.ts";
import { loadConfigFile } from "../../../src/configFile.ts";
import { situations } from "../../../src/plainEnglish.ts";
import { reasonCodes, userMessages } from "../../../src/reasonCodes.ts";

const root = resolve(import.meta.dirname, "../../..");
const sources = globSync("src/**/*.{ts,sql}", { cwd: root }).map((file) => ({
  file,
  text: readFileSync(resolve(root, file), "utf8"),
}));

/** Spec 001 §14 and spec 002 §14: code, severity, meaning, action. */
const printedCodes = [
  [
    "USER_ACTION_RECORDED",
    "INFO",
    "A user action was recorded in the ledger.",
    "Log and emit SettlementReport.",
  ],
  [
    "ACTION_LINKED_TO_FILL",
    "INFO",
    "A user action was linked to a fill via trace_id.",
    "Update ledger record.",
  ],
  ["RETENTION_BELOW_REGULATORY_MINIMUM", "WARN", "retain_days < 2555.", "Emit WARN; refuse config change."],
  [
    "LEDGER_WRITE_FAILED",
    "WARN",
    "Postgres write failed; event buffered in memory.",
    "Buffer; emit WARN; flush on reconnect.",
  ],
  [
    "KILL_SWITCH_ACTIVE",
    "WARN",
    "KillSwitch active; KillSwitch event recorded in ledger.",
    "Record kill-switch event as USER_ACTION.",
  ],
  [
    "PARAM_CHANGED",
    "INFO",
    "A parameter was successfully changed and recorded.",
    "Log and emit OperationsReport.",
  ],
  [
    "P0_PARAMETER_CHANGED",
    "WARN",
    "A P0-tier parameter was changed; immediate alert required.",
    "Emit alert to on-call.",
  ],
  [
    "AUDIT_TICKET_REQUIRED",
    "HARD_REJECT",
    "A P0/P1 parameter change was attempted without a ticket reference.",
    "Reject change; emit alert.",
  ],
  [
    "AUDIT_LOG_UNAVAILABLE",
    "WARN",
    "Audit log store is unavailable; records buffered in memory.",
    "Buffer and flush on reconnect.",
  ],
  ["AUDIT_RETENTION_WARN", "WARN", "retain_history_days < 90; below recommended minimum.", "Emit WARN."],
] as const;

test.each(printedCodes)("%s says what §14 prints", (code, severity, meaning, action) => {
  expect(reasonCodes[code]).toMatchObject({ severity, meaning, action });
});

test.each([
  "EVENT_ID_CONFLICT",
  "WRITE_ID_CONFLICT",
  "ACTION_GAP_DETECTED",
  "ACTION_GAP_CLOSED",
  "AUDIT_TICKET_INVALID",
  "UNGATED_WRITE",
  "CONFIG_DRIFT_DETECTED",
  "EVENT_STREAM_UNAVAILABLE",
] as const)("%s, which the rulings add, has its row", (code) => {
  expect(reasonCodes[code].meaning).toMatch(/\.$/);
});

test("the alerts of §15 stand at the codes they are raised for, with whom they wake", () => {
  const alerts = Object.values(reasonCodes).flatMap((one) => ("alert" in one ? [one.alert] : []));
  expect(alerts).toEqual([
    { name: "UserActivityLedgerRetentionBreach", severity: "P1" },
    { name: "UserActivityLedgerBufferGrowing", severity: "P2" },
    { name: "ParameterAuditorP0Change", severity: "P1" },
    { name: "ParameterAuditorLogUnavailable", severity: "P1" },
  ]);
});

test.each([
  // Spec 001 §7, §17.
  "Your activity history is kept for 7 years as required by regulation.",
  "Your complete activity history is available for the past 7 years.",
  "Your personally identifiable information has been removed from records, but anonymised activity history is retained for compliance.",
  // Spec 002 §7, §17.
  "Config changes are kept on record for one year.",
  "A configuration change was recorded in the audit log with full before/after detail.",
  "This parameter requires an approved change ticket before it can be modified.",
])("the specifications' sentence stands in the sources once: %s", (sentence) => {
  expect(sources.map(({ text }) => text.split(sentence).length - 1).reduce((a, b) => a + b)).toBe(1);
});

describe("what people are told", () => {
  const sentences: [string, string][] = [
    ...Object.entries(userMessages),
    ...Object.entries(situations).map(([name, { sentence }]): [string, string] => [name, sentence]),
    ...Object.entries(parameterMessages).flatMap(([bot, messages]) =>
      Object.entries(messages).map(([name, sentence]): [string, string] => [`${bot} ${name}`, sentence]),
    ),
  ];

  test.each(sentences)("of %s is one sentence without the words of those who build it", (_, sentence) => {
    expect(sentence).toMatch(/^[A-Z][^.]{10,}\.$/);
    expect(sentence).not.toMatch(
      /_|postgres|database|sql|table|row|spool|buffer|fsync|journal|partition|offset|payload|json(?! lines)|retry|null/i,
    );
  });

  test("is said once: no two codes, situations or parameters share a sentence", () => {
    const all = sentences.map(([, sentence]) => sentence);
    expect(all.filter((sentence, at) => all.indexOf(sentence) !== at)).toEqual([]);
    for (const sentence of all) {
      const places = sources.filter(({ text }) => text.includes(sentence)).map(({ file }) => file);
      expect(places, sentence).toHaveLength(1);
    }
  });

  test.each(["gov.useractivityledger", "gov.parameterchangeauditor"] as const)(
    "names every parameter of %s, and no other",
    (bot) => {
      expect(Object.keys(parameterMessages[bot]).sort()).toEqual(
        Object.keys(loadConfigFile(undefined).values[bot]).sort(),
      );
    },
  );
});

test.each(Object.entries(reasonCodes))(
  "%s is marked as emitted if the sources emit it, and only then",
  (code, { emitted }) => {
    const emitters = sources.filter(
      ({ file, text }) => file !== "src/reasonCodes.ts" && new RegExp(`["'\`]${code}["'\`]`).test(text),
    );
    expect(emitters.length > 0).toBe(emitted);
  },
);
