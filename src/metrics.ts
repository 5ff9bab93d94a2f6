import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { DecisionRow } from "./auditor/append.ts";
import { nameKey, tiers } from "./auditor/tiers.ts";
import type { Clock } from "./clock.ts";
import type { ConfigFile } from "./configFile.ts";
import { spoolBots } from "./journal/spool/entry.ts";
import type { Spool } from "./journal/spool/spool.ts";
import type { LookupOutcome } from "./tickets/lookups.ts";
import type { Recheck } from "./tickets/recheckStore.ts";

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
export function createBotMetrics(registry: Registry, file: () => ConfigFile, retainDays: () => number) {
  const registers = [registry];
  const actions = new Counter({
    name: "polytraders_gov_useractivityledger_actions_total",
    help: "Total user actions recorded by type.",
    labelNames: ["action_type"] as const,
    registers,
  });
  const links = new Counter({
    name: "polytraders_gov_useractivityledger_fill_links_total",
    help: "Total fill-to-session links created.",
    registers,
  });
  const killSwitch = new Counter({
    name: "polytraders_gov_useractivityledger_kill_switch_total",
    help: "Kill switch uses recorded.",
    registers,
  });
  const gaps = new Counter({
    name: "polytraders_gov_useractivityledger_session_gaps_total",
    help: "Times that numbered actions of a session went missing (opened) or arrived after all (closed).",
    labelNames: ["event"] as const,
    registers,
  });
  gaps.labels("opened").inc(0);
  gaps.labels("closed").inc(0);
  new Gauge({
    name: "polytraders_gov_useractivityledger_retention_days",
    help: "Configured retention; must be >= 2555.",
    registers,
    collect() {
      this.set(retainDays());
    },
  });
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
  // There from the start, so that the first rejection is an increase.
  for (const reason of ["AUDIT_TICKET_REQUIRED", "AUDIT_TICKET_INVALID"]) rejections.labels(reason).inc(0);
  const p0Alerts = new Counter({
    name: "polytraders_gov_parameterchangeauditor_p0_alerts_total",
    help: "Total P0 parameter change alerts fired.",
    registers,
  });
  const ungatedWrites = new Counter({
    name: "polytraders_gov_parameterchangeauditor_ungated_writes_total",
    help: "Total parameter changes recorded that went through without a verdict.",
    labelNames: ["param_tier"] as const,
    registers,
  });
  for (const tier of tiers) ungatedWrites.labels(tier).inc(0);
  const configDrifts = new Counter({
    name: "polytraders_gov_parameterchangeauditor_config_drifts_total",
    help: "Total live values recorded that were not the recorded ones.",
    registers,
  });
  const notRecorded = new Counter({
    name: "polytraders_gov_parameterchangeauditor_not_recorded_total",
    help: "Total verdicts given whose record nobody made durable in time.",
    registers,
  });
  const namedBots = createNamedBots(file);
  const changed = ({ decision, write }: DecisionRow) =>
    changes.labels(namedBots().get(write.botKey) ?? "OTHER", decision.tier).inc();

  return {
    recorded(actionType: string): void {
      actions.labels(knownActionTypes.has(actionType) ? actionType : "OTHER").inc();
    },
    linked(): void {
      links.inc();
    },
    killSwitchUsed(): void {
      killSwitch.inc();
    },
    gap(event: "opened" | "closed"): void {
      gaps.labels(event).inc();
    },
    /** A change of the service's own parameters that was refused before the gate was asked. */
    refused(reason: string): void {
      rejections.labels(reason).inc();
    },
    decided(row: DecisionRow): void {
      const { decision } = row;
      if (decision.verdict === "REJECT") rejections.labels(decision.reasonCode).inc();
      if (decision.allowed) changed(row);
    },
    /** Nothing was rejected, whatever the policy says of it now. */
    ungated(row: DecisionRow): void {
      ungatedWrites.labels(row.decision.tier).inc();
      changed(row);
    },
    notRecorded(): void {
      notRecorded.inc();
    },
    p0Alerted(): void {
      p0Alerts.inc();
    },
    drifted(drifts: number): void {
      configDrifts.inc(drifts);
    },
  };
}

/** The named slugs of the config file in force, found once for each. */
export function createNamedBots(file: () => ConfigFile): () => ReadonlyMap<string, string> {
  let of = file();
  let slugs = namedBotSlugs(of);
  return () => {
    if (file() !== of) {
      of = file();
      slugs = namedBotSlugs(of);
    }
    return slugs;
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

/** Whether what the config file says is what is in force. */
export function createConfigFileMetric(registry: Registry): (isOk: boolean) => void {
  const isOk = new Gauge({
    name: "polytraders_gov_config_file_ok",
    help: "1 while the config file as it stands is in force, 0 while it is refused for a mistake.",
    registers: [registry],
  });
  isOk.set(1);
  return (ok) => isOk.set(ok ? 1 : 0);
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

const lookupOutcomes = [
  "answered",
  "late",
  "timeout",
  "network",
  "status",
  "garbage",
  "throttled",
  "not_asked",
] as const satisfies readonly LookupOutcome[];

/** How the ticket system answers, and what became of the writes that it answered too late for (R7). */
export function createTicketMetrics(registry: Registry) {
  const registers = [registry];
  const lookups = new Counter({
    name: "polytraders_gov_parameterchangeauditor_ticket_lookups_total",
    help: "Tickets that were looked up and not known from an earlier answer, by what became of it.",
    labelNames: ["outcome"] as const,
    registers,
  });
  for (const outcome of lookupOutcomes) lookups.labels(outcome).inc(0);
  const lookupSeconds = new Histogram({
    name: "polytraders_gov_parameterchangeauditor_ticket_lookup_seconds",
    help: "Seconds a request to the ticket system took, answered or not.",
    buckets: [0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 1, 2.5, 5],
    registers,
  });
  const paused = new Gauge({
    name: "polytraders_gov_parameterchangeauditor_ticket_system_paused",
    help: "1 while the ticket system is left alone because it does not answer, else 0.",
    registers,
  });
  const rechecks = new Counter({
    name: "polytraders_gov_parameterchangeauditor_ticket_rechecks_total",
    help: "Writes let through unverified whose ticket was settled afterwards.",
    labelNames: ["status"] as const,
    registers,
  });
  for (const status of ["VALID", "INVALID", "UNKNOWN"]) rechecks.labels(status).inc(0);
  return {
    onOutcome(outcome: LookupOutcome, seconds: number | undefined): void {
      lookups.labels(outcome).inc();
      if (seconds !== undefined) lookupSeconds.observe(seconds);
    },
    onPaused(isPaused: boolean): void {
      paused.set(isPaused ? 1 : 0);
    },
    onSettled(status: Recheck["status"]): void {
      rechecks.labels(status).inc();
    },
  };
}

/** What waits in the spool, by bot (spec 001 and 002 §15), and how old it is. */
export function createSpoolMetrics(registry: Registry, spool: Spool, clock: Clock): void {
  const registers = [registry];
  for (const bot of spoolBots) {
    const prefix = `polytraders_${bot.replace(".", "_")}`;
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name: `${prefix}_${name}`,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    gauge("buffer_size", bufferHelp[bot], () => spool.state(bot).records);
    gauge("buffer_bytes", "Bytes of buffered records.", () => spool.state(bot).bytes);
    gauge("buffer_oldest_seconds", "Age of the oldest buffered record; 0 when there is none.", () => {
      const { oldestMicros } = spool.state(bot);
      return oldestMicros === undefined ? 0 : Math.max(0, (clock.nowMicros() - oldestMicros) / 1_000_000);
    });
  }
  new Gauge({
    name: "polytraders_gov_spool_damaged",
    help: "1 when the spool was not as it was left at this process's start, else 0.",
    registers,
    collect() {
      this.set(spool.damage === undefined ? 0 : 1);
    },
  });
  new Gauge({
    name: "polytraders_gov_spool_ok",
    help: "1 while the spool takes records, 0 once it has refused one.",
    registers,
    collect() {
      this.set(spoolBots.every((bot) => spool.state(bot).isTaking) ? 1 : 0);
    },
  });
}

const bufferHelp = {
  "gov.useractivityledger": "Events buffered in memory awaiting Postgres write.",
  "gov.parameterchangeauditor": "Records buffered in memory awaiting audit log flush.",
};
