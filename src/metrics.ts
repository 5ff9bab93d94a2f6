import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { DecisionRow } from "./auditor/append.ts";
import { nameKey } from "./auditor/tiers.ts";
import type { ConfigFile } from "./configFile.ts";

const knownActionTypes = new Set([
  "STRATEGY_START",
  "STRATEGY_STOP",
  "PARAMETER_CHANGE",
  "HALT",
  "OVERRIDE",
  "KILL_SWITCH",
  "ACCOUNT_CLOSE",
]);

/** The metrics of spec 001 and 002 §15, names and labels verbatim; labels are bounded (R8). */
export function createBotMetrics(registry: Registry, file: ConfigFile) {
  const registers = [registry];
  const actions = new Counter({
    name: "polytraders_gov_useractivityledger_actions_total",
    help: "Total user actions recorded by type.",
    labelNames: ["action_type"] as const,
    registers,
  });
  new Gauge({
    name: "polytraders_gov_useractivityledger_retention_days",
    help: "Configured retention; must be >= 2555.",
    registers,
  }).set(file["gov.useractivityledger"].retain_days);
  const changes = new Counter({
    name: "polytraders_gov_parameterchangeauditor_changes_total",
    help: "Total parameter changes recorded.",
    labelNames: ["bot_slug", "param_tier"] as const,
    registers,
  });
  const rejections = new Counter({
    name: "polytraders_gov_parameterchangeauditor_rejections_total",
    help: "Total changes rejected by audit hook.",
    labelNames: ["reason"] as const,
    registers,
  });
  const namedBots = namedBotSlugs(file);

  return {
    recorded(actionType: string): void {
      actions.labels(knownActionTypes.has(actionType) ? actionType : "OTHER").inc();
    },
    decided(row: DecisionRow): void {
      const { decision, write } = row;
      if (decision.verdict === "REJECT") rejections.labels(decision.reasonCode).inc();
      if (decision.allowed) changes.labels(namedBots.get(write.botKey) ?? "OTHER", decision.tier).inc();
    },
  };
}

/** The slugs that the policy names without a star, by the key they compare by. */
function namedBotSlugs(file: ConfigFile): ReadonlyMap<string, string> {
  const slugs = new Map([
    ["gov.useractivityledger", "gov.useractivityledger"],
    ["gov.parameterchangeauditor", "gov.parameterchangeauditor"],
  ]);
  for (const pattern of [...Object.keys(file.tiers), ...file.stopping]) {
    const slug = /^([^.*]+\.[^.*]+)\./.exec(pattern)?.[1];
    if (slug !== undefined) slugs.set(nameKey(slug), slug);
  }
  return slugs;
}

/** How the journals group commits: rows a batch, and the database's time for it. */
export function createJournalMetrics(registry: Registry) {
  const registers = [registry];
  const labelNames = ["journal"] as const;
  const rowsOf = new Histogram({
    name: "polytraders_gov_journal_batch_rows",
    help: "Rows committed together.",
    labelNames,
    buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000],
    registers,
  });
  const secondsOf = new Histogram({
    name: "polytraders_gov_journal_commit_seconds",
    help: "Seconds the database took for a batch.",
    labelNames,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
    registers,
  });
  return (journal: string) => {
    const rows = rowsOf.labels(journal);
    const seconds = secondsOf.labels(journal);
    return (batchRows: number, durationMs: number): void => {
      rows.observe(batchRows);
      seconds.observe(durationMs / 1000);
    };
  };
}
