import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { loadConfigFile } from "../../../src/configFile.ts";
import { StartupError } from "../../../src/startupError.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "governance-config-file-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
function load(text: string) {
  const path = join(folder, `file-${++count}.yaml`);
  writeFileSync(path, text);
  return loadConfigFile(path);
}

/** As the contract prints it; what is printed are the defaults, but for the two tiers. */
const printed = `
gov.useractivityledger:
  { mode: shadow_only, retain_days: 2555, export_format: jsonl, scrub_on_account_close: false, publish_to_user: true }
gov.parameterchangeauditor:
  { mode: shadow_only, retain_history_days: 365, require_ticket_for: [P0, P1], publish_to_audit_log: true, alert_on_p0_change: true }
tiers:                       # "bot_slug.param_name" patterns (R24); default P2, gov.* P0
  risk.*.max_position_pusd: P1
  risk.killswitch.*: P0
stopping: []                 # writes towards stopping, never behind a ticket (R7)
automation: []               # R16
tickets: {}                  # R7: system, URL, budget, policy per tier
secrets: []                  # parameter patterns whose values are masked
`;

/** With what was added to it. */
const read = { ...parse(printed), alerts: { runbooks: "docs/runbooks.md", receivers: [] } };

test("the file that the contract prints is read as it stands", () => {
  expect(load(printed).values).toEqual(read);
});

test("without a file, and with an empty one, the printed values hold but for the two tiers", () => {
  const defaults = { ...read, tiers: {} };
  expect(loadConfigFile(undefined).values).toEqual(defaults);
  for (const text of ["", "# nothing\n", "{}", "gov.useractivityledger: {}"])
    expect(load(text).values).toEqual(defaults);
});

test("it may be JSON", () => {
  expect(load(JSON.stringify(parse(printed))).values).toEqual(read);
});

test("what the file sets is told from what is default", () => {
  expect(loadConfigFile(undefined).set).toEqual({});
  const { set } = load("gov.useractivityledger: { retain_days: 2555, mode: enforce }");
  expect(set).toEqual({ "gov.useractivityledger": new Set(["retain_days", "mode"]) });
});

test("a ticket system needs its kind and its URL; the rest has defaults", () => {
  expect(load("tickets: { system: jira, url: https://x }").values.tickets).toEqual({
    system: "jira",
    url: "https://x",
    budget_ms: 250,
    cache_seconds: 60,
    on_ticket_system_down: {},
    auth: "basic",
    api_version: 3,
    projects: [],
    open: ["new", "indeterminate"],
    scope_field: "labels",
    scope_prefix: "param:",
    expiry_field: "duedate",
  });
});

const ledger = (text: string) => `gov.useractivityledger: { ${text} }`;
const tickets = (text: string) => `tickets: { system: jira, ${text} }`;
const auditor = (text: string) => `gov.parameterchangeauditor: { ${text} }`;

describe("every key takes what it is for:", () => {
  test.each([
    ledger("mode: enforce"),
    ledger("retain_days: 1"),
    ledger("retain_days: 36500"),
    ledger("scrub_on_account_close: true"),
    ledger("publish_to_user: false"),
    auditor("mode: enforce"),
    auditor("retain_history_days: 30"),
    auditor("require_ticket_for: []"),
    auditor("require_ticket_for: [P3, P0]"),
    auditor("publish_to_audit_log: false"),
    auditor("alert_on_p0_change: false"),
    'tiers: { "*": P3, gov.x: P0 }',
    "stopping: [risk.*.halted, risk.killswitch.armed]",
    "automation: [{ subject: ttl-refresher, pattern: strategy.*.ttl_seconds }]",
    "tickets: {}",
    "tickets: { system: webhook, url: http://127.0.0.1:9000/check, token_file: /run/secrets/t, budget_ms: 100 }",
    tickets(
      "url: https://polytraders.atlassian.net, token_file: t, on_ticket_system_down: { P0: reject, P1: allow }",
    ),
    tickets(
      "url: https://jira.example/jira, auth: bearer, api_version: 2, projects: [PTRD], open: [indeterminate]",
    ),
    tickets("url: https://x, scope_field: customfield_10042, scope_prefix: 'bot=', expiry_field: null"),
  ])("%s", (text) => {
    expect(load(text).values).toMatchObject(parse(text));
  });
});

describe("a mistake is told with the key's path, in one line:", () => {
  test.each<readonly [string, RegExp]>([
    ["tiers: [", /: .* at line 1/],
    ["- a", /: Invalid input: expected object/],
    ["7", /: Invalid input: expected object/],
    ["a: 1\nb", /: .* at line 2/],
    ["stopping: []\nstopping: []", /: Map keys must be unique/],
    ["teirs: {}", /: Unrecognized key: "teirs"/],
    [ledger("retain_day: 1"), /: gov\.useractivityledger: Unrecognized key: "retain_day"/],
    [ledger("mode: strict"), /: gov\.useractivityledger\.mode: .*"shadow_only"\|"enforce"/],
    [ledger("retain_days: seven"), /: gov\.useractivityledger\.retain_days: .*expected number/],
    [ledger("retain_days: 0"), /: gov\.useractivityledger\.retain_days: .*>=1/],
    [ledger("retain_days: 36501"), /: gov\.useractivityledger\.retain_days: .*<=36500/],
    [ledger("retain_days: 1.5"), /: gov\.useractivityledger\.retain_days: .*int/],
    [ledger("retain_days: .nan"), /: gov\.useractivityledger\.retain_days: /],
    [ledger("export_format: csv"), /: gov\.useractivityledger\.export_format: .*"jsonl"/],
    [ledger("publish_to_user: 1"), /: gov\.useractivityledger\.publish_to_user: .*boolean/],
    [auditor("require_ticket_for: P0"), /: gov\.parameterchangeauditor\.require_ticket_for: .*array/],
    [auditor("require_ticket_for: [P0, P4]"), /: gov\.parameterchangeauditor\.require_ticket_for\.1: /],
    ["gov.useractivityledger: null", /: gov\.useractivityledger: .*expected object/],
    ["tiers: { risk.a: P9 }", /: tiers\.risk\.a: .*"P0"\|"P1"\|"P2"\|"P3"/],
    ['tiers: { "**": P1 }', /: tiers\.\*\*: .*pattern/],
    ['tiers: { "": P1 }', /: tiers\.: /],
    ["stopping: risk.a", /: stopping: .*array/],
    ['stopping: [""]', /: stopping\.0: /],
    ["automation: [{ subject: x }]", /: automation\.0\.pattern: .*string/],
    ["automation: [{ subject: '', pattern: risk.* }]", /: automation\.0\.subject: /],
    ["automation: [{ subject: x, pattern: '**' }]", /: automation\.0\.pattern: .*pattern/],
    ["automation: [{ editor_id: x, pattern: risk.* }]", /: automation\.0/],
    ["tickets: { url: x }", /: tickets: needs system: jira or webhook/],
    ["tickets: []", /: tickets: .*object/],
    ["tickets: { system: bugzilla, url: https://x }", /: tickets\.system: must be jira or webhook/],
    ["tickets: { system: jira }", /: tickets\.url: .*string/],
    [tickets("url: ftp://x"), /: tickets\.url: must be an http\(s\) URL/],
    [tickets("url: https://user:secret@x"), /: tickets\.url: must not hold a user or a password/],
    [tickets("url: 'https://x?token=1'"), /: tickets\.url: must not have a query/],
    [tickets("url: http://x, token_file: /t"), /: tickets\.url: must be https where a token is sent/],
    [tickets("url: https://x, token: secret"), /: tickets: Unrecognized key: "token"/],
    [tickets("url: https://x, budget_ms: 301"), /: tickets\.budget_ms: .*<=300/],
    [tickets("url: https://x, cache_seconds: -1"), /: tickets\.cache_seconds: .*>=0/],
    [tickets("url: https://x, on_ticket_system_down: { P4: allow }"), /: tickets\.on_ticket_system_down/],
    [
      tickets("url: https://x, on_ticket_system_down: { P0: block }"),
      /: tickets\.on_ticket_system_down\.P0: .*"allow"\|"reject"/,
    ],
    [tickets("url: https://x, projects: [ptrd]"), /: tickets\.projects\.0: must be a project's key/],
    [tickets("url: https://x, open: []"), /: tickets\.open: /],
    [tickets("url: https://x, open: [In Progress]"), /: tickets\.open\.0: .*"indeterminate"/],
    [tickets("url: https://x, expiry_field: due date"), /: tickets\.expiry_field: /],
    [tickets("url: https://x, api_version: 4"), /: tickets\.api_version: /],
    [
      "tickets: { system: webhook, url: https://x, projects: [A] }",
      /: tickets: Unrecognized key: "projects"/,
    ],
    ["secrets: [7]", /: secrets\.0: /],
  ])("%j", (text, line) => {
    expect(() => load(text)).toThrow(StartupError);
    expect(() => load(text)).toThrow(/^GOVERNANCE_CONFIG_FILE: \S+\.yaml: /);
    expect(() => load(text)).toThrow(line);
    expect(() => load(text)).not.toThrow(/\n/);
  });
});
