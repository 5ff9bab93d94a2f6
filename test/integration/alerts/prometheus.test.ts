import { existsSync } from "node:fs";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { alertKinds } from "../../../src/alerts/alert.ts";
import { createMetricsOfAll } from "../../../src/processes/metrics.ts";
import { auditorAs, ledgerAs } from "../../support/callers.ts";
import { createTestDatabase } from "../../support/database.ts";
import { startDatabaseProxy } from "../../support/proxy.ts";
import { startTestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";
import { action } from "../ledger/actions.ts";
import { drained } from "../spool/spooling.ts";
import { freePort, runProgram } from "./programs.ts";
import { startReceiver, until } from "./receiving.ts";

const binary = "/usr/bin/prometheus";
const ops = resolve(import.meta.dirname, "../../../ops");
const rulesFile = join(ops, "prometheus/rules.yaml");

const firing = z.object({
  data: z.object({
    alerts: z.array(z.object({ state: z.string(), labels: z.record(z.string(), z.string()) })),
  }),
});

// CI installs it: there the test runs, and fails without it.
test.runIf(existsSync(binary) || process.env.CI)(
  "a real Prometheus that scrapes the service sees ParameterAuditorLogUnavailable fire while Postgres is away, and resolve (where it is installed)",
  { timeout: 90_000 },
  async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "governance-prometheus-"));
    await using database = await createTestDatabase();
    await using proxy = await startDatabaseProxy();
    await using service = await startTestService({
      database,
      env: { DATABASE_URL: proxy.through(database.url("service")) },
    });
    const target = `127.0.0.1:${service.httpPort}`;
    const configFile = join(folder.path, "prometheus.yaml");
    await writeFile(
      configFile,
      JSON.stringify({
        global: { scrape_interval: "500ms", scrape_timeout: "500ms", evaluation_interval: "500ms" },
        rule_files: [rulesFile],
        scrape_configs: [{ job_name: "governance", static_configs: [{ targets: [target] }] }],
      }),
    );
    const listens = `127.0.0.1:${await freePort()}`;
    await using _prometheus = await runProgram(binary, `http://${listens}`, [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(folder.path, "data")}`,
      `--web.listen-address=${listens}`,
    ]);
    const alerts = async () => {
      const response = await fetch(`http://${listens}/api/v1/alerts`);
      return firing.parse(await response.json()).data.alerts.filter(({ state }) => state === "firing");
    };
    const unavailable = async () =>
      (await alerts()).filter(({ labels }) => labels.alertname === "ParameterAuditorLogUnavailable");

    const configStore = await auditorAs(service, "config-store");
    await configStore.checkWrite(write("warm"));
    expect(await alerts()).toEqual([]);

    proxy.cut();
    await Promise.all(Array.from({ length: 120 }, (_, i) => configStore.checkWrite(write(`p_${i}`))));
    await until("it fires", async () => (await unavailable()).length === 1);
    expect((await unavailable())[0]?.labels).toMatchObject({ severity: "P1", instance: target });

    proxy.mend();
    await drained(service);
    await until("it resolves", async () => (await unavailable()).length === 0);
  },
);

const rules = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          labels: z.object({ severity: z.enum(["P1", "P2"]) }),
          annotations: z.object({ summary: z.string(), runbook_url: z.string() }),
        }),
      ),
    }),
  ),
});

describe("what operators are given", () => {
  test("the alerts of both specifications have the names, conditions and severities of §15", async () => {
    const all = rules.parse(parse(await readFile(rulesFile, "utf8"))).groups.flatMap((group) => group.rules);
    const printed = all
      .slice(0, 4)
      .map(({ alert, expr, labels, annotations }) => [
        alert,
        expr,
        labels.severity,
        annotations.runbook_url.replace(/^[^#]*/, ""),
      ]);
    expect(printed).toEqual([
      [
        "UserActivityLedgerBufferGrowing",
        "polytraders_gov_useractivityledger_buffer_size > 500",
        "P2",
        "#runbook-useractivityledger-buffer",
      ],
      [
        "UserActivityLedgerRetentionBreach",
        "polytraders_gov_useractivityledger_retention_days < 2555",
        "P1",
        "#runbook-useractivityledger-retention",
      ],
      [
        "ParameterAuditorP0Change",
        "rate(polytraders_gov_parameterchangeauditor_p0_alerts_total[5m]) > 0",
        "P1",
        "#runbook-parameterauditor-p0",
      ],
      [
        "ParameterAuditorLogUnavailable",
        "polytraders_gov_parameterchangeauditor_buffer_size > 100",
        "P1",
        "#runbook-parameterauditor-log",
      ],
    ]);
  });

  test("each alert has a section in the runbooks, with all that who is on call needs", async () => {
    const runbooks = await readFile(join(ops, "../docs/runbooks.md"), "utf8");
    const all = rules.parse(parse(await readFile(rulesFile, "utf8"))).groups.flatMap((group) => group.rules);
    const [, ...parts] = runbooks.split('<a id="');
    const sections = new Map(parts.map((part) => [part.slice(0, part.indexOf('"')), part]));
    const pointed = [
      ...all.map(({ annotations }) => annotations.runbook_url.replace("docs/runbooks.md#", "")),
      ...Object.values(alertKinds).map(({ runbook }) => runbook),
    ];
    expect([...new Set(pointed)].toSorted()).toEqual([...sections.keys()].toSorted());
    for (const [id, text] of sections) {
      for (const part of ["First step", "Diagnosis", "Mitigation", "Escalate to", "Manual overrides"]) {
        expect(text, id).toMatch(new RegExp(`^- \\*\\*${part}`, "m"));
      }
    }
    const told = [...all.map(({ alert }) => alert), ...Object.keys(alertKinds)];
    expect(told.filter((name) => !runbooks.includes(name))).toEqual([]);
  });

  test("every metric of §15 is there from the start, with its name and type", async () => {
    await using service = await startTestService();
    const page = await (await fetch(`http://127.0.0.1:${service.httpPort}/metrics`)).text();
    const printed = [
      "useractivityledger_actions_total counter",
      "useractivityledger_fill_links_total counter",
      "useractivityledger_buffer_size gauge",
      "useractivityledger_retention_days gauge",
      "parameterchangeauditor_changes_total counter",
      "parameterchangeauditor_rejections_total counter",
      "parameterchangeauditor_p0_alerts_total counter",
      "parameterchangeauditor_buffer_size gauge",
    ];
    const types = page.split("\n").filter((line) => line.startsWith("# TYPE "));
    expect(printed.filter((line) => !types.includes(`# TYPE polytraders_gov_${line}`))).toEqual([]);
  });

  test("each metric that rules and dashboard name is one that a running service has", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "governance-metrics-"));
    await using receiver = await startReceiver(folder.path);
    await using service = await startTestService({
      config: receiver.config,
      env: { GOVERNANCE_NATS_SERVERS: "nobody.invalid" },
    });
    await (await auditorAs(service, "config-store")).checkWrite(write("p"));
    await (await ledgerAs(service, "bot")).recordUserAction(action("evt"));
    const page = await (await fetch(`http://127.0.0.1:${service.httpPort}/metrics`)).text();
    // What several processes have beside it.
    const ofProcesses = await createMetricsOfAll([{ process: 1, ask: () => false }]).text();
    const served = new Set(
      [...`${page}\n${ofProcesses}`.matchAll(/^([a-z0-9_]+)(?:\{| )/gm)].map(([, name]) => name),
    );
    const used = (
      await Promise.all(
        [rulesFile, join(ops, "grafana-dashboard.json")].map((file) => readFile(file, "utf8")),
      )
    )
      .join("\n")
      .matchAll(/\b(?:polytraders_gov|nodejs|process)_[a-z0-9_]+/g);
    const names = [...new Set([...used].map(([name]) => name))];
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !served.has(name))).toEqual([]);
  });
});
