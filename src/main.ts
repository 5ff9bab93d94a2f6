import { join } from "node:path";
import type { Logger } from "pino";
import { collectDefaultMetrics, Registry } from "prom-client";
import { UserActivityLedgerService } from "../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { createAccessLog } from "./access/accessLog.ts";
import { createAccessLogService } from "./access/service.ts";
import { createAlertDelivery } from "./alerts/delivery.ts";
import { createAlertMetrics } from "./alerts/metrics.ts";
import { createAlerts } from "./auditor/alerts.ts";
import type { DecisionRow } from "./auditor/append.ts";
import { createGate } from "./auditor/gate.ts";
import { followLastChange } from "./auditor/lastChange.ts";
import { createMasking } from "./auditor/secrets/masking.ts";
import { createAuditor } from "./auditor/service.ts";
import { createAdoptFile } from "./botConfig/adoptFile.ts";
import { createFloors } from "./botConfig/floors.ts";
import { followStored } from "./botConfig/follow.ts";
import { createBotConfig } from "./botConfig/service.ts";
import { createSettings } from "./botConfig/settings.ts";
import { createConfigStore } from "./botConfig/store.ts";
import { startBus } from "./bus/bus.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { loadConfigFile } from "./configFile.ts";
import { openDatabase } from "./db/connect.ts";
import { ensureMonths, keepMonths } from "./db/months.ts";
import { prepareDatabase } from "./db/prepare.ts";
import { watchDatabase } from "./db/watch.ts";
import { followConfigFile } from "./followConfigFile.ts";
import { createOutages } from "./journal/outages.ts";
import { openSpool } from "./journal/spool/spool.ts";
import { openJournals } from "./journals.ts";
import { loadRecordKey, recordKeyId } from "./keys/recordKey.ts";
import { tokenChecks } from "./keys/tokenChecks.ts";
import { createIdentities } from "./ledger/identity.ts";
import { createNoticed } from "./ledger/noticed.ts";
import { createRecorded } from "./ledger/recorded.ts";
import { createLedgerRetention } from "./ledger/retention.ts";
import { noteScrubs } from "./ledger/scrub/receiptsFile.ts";
import { createScrubber } from "./ledger/scrub/scrubber.ts";
import { createLedger } from "./ledger/service.ts";
import { endAbandoned } from "./log/abandoned.ts";
import { announceReplica, replicaId } from "./log/replicas.ts";
import { createSequencer } from "./log/sequencer.ts";
import { watchLog } from "./log/watchLog.ts";
import { createLog } from "./logging.ts";
import {
  createBotMetrics,
  createConfigFileMetric,
  createJournalMetrics,
  createNamedBots,
  createSpoolMetrics,
  createTicketMetrics,
} from "./metrics.ts";
import { openPools } from "./pools.ts";
import { openReplicaFolder } from "./processes/folders.ts";
import { drainLeftSpools } from "./processes/leftSpool.ts";
import type { Part } from "./processes/part.ts";
import { createRecordIds } from "./recordIds.ts";
import { createReports } from "./reports/service.ts";
import { connectAdministrator } from "./retention/administrator.ts";
import { followRetainDays } from "./retention/followRetainDays.ts";
import { createPurge } from "./retention/purge.ts";
import { ledgerRule } from "./retention/rules.ts";
import { schedulePurge } from "./retention/schedule.ts";
import { createRetention } from "./retention/service.ts";
import { createAuthenticator } from "./server/authenticate.ts";
import { wholeContract } from "./server/contract.ts";
import { createHealthPages } from "./server/healthPages.ts";
import { listen } from "./server/listeners.ts";
import { createObserver } from "./server/observe.ts";
import { createPipeline } from "./server/pipeline.ts";
import { createCurrentTickets } from "./tickets/current.ts";
import type { Recheck } from "./tickets/recheckStore.ts";
import { startRechecks } from "./tickets/rechecks.ts";
import { openTracing } from "./tracing/tracing.ts";

export type Service = AsyncDisposable & {
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Whether Postgres answers and was found right. */
  readonly isDatabaseReady: () => boolean;
  /** Reads the config file now; undefined where there is none. */
  readonly reloadConfigFile: (() => Promise<void>) | undefined;
  /** Resolves when the service cannot go on by itself, with the reason. */
  readonly failed: Promise<string>;
};

/**
 * Composes the service and starts it; with an external Postgres away it starts all the same, and goes on by
 * itself when it comes. Disposing stops it: new calls are refused, what was taken is answered, the
 * database is let go last. Throws a StartupError when it cannot start.
 */
export async function startService(
  config: Config,
  overrides: { clock?: Clock; log?: Logger; part?: Part } = {},
): Promise<Service> {
  const { limits, file } = config;
  const clock = overrides.clock ?? systemClock();
  const plainLog = overrides.log ?? createLog(config.logLevel);
  const tracing = await openTracing(config.tracing, limits, plainLog);
  const log = tracing.log(plainLog);
  const registry = new Registry();
  await using starting = new AsyncDisposableStack();

  const folder = starting.use(await openReplicaFolder(config.dataDir, overrides.part));
  const key = loadRecordKey(config.scrubKeyFile, folder.path);
  const nowMs = () => clock.nowMicros() / 1000;
  const authenticator = createAuthenticator({
    ...tokenChecks(config, folder.path, { nowMs, log }),
    nowMs,
    breakGlassMaxMinutes: config.breakGlassMaxMinutes,
  });
  let stopBy = Number.POSITIVE_INFINITY; // On the monotonic clock of the process.
  const leftMs = () => Math.max(0, Math.min(limits.shutdownMs, stopBy - performance.now()));
  const database = starting.adopt(await openDatabase(config, folder.path, log), (it) => it.close(leftMs()));
  const watch = starting.use(watchDatabase(database.unchecked.service, log));
  starting.defer(() => tracing.close(Math.min(leftMs(), limits.shutdownTracesMs)));

  const pools = starting.use(openPools({ connection: database.service, limits, log }));
  starting.use(keepMonths(pools.read, clock, log));

  const settings = createSettings({ file, inFile: config.fileKeys, log });
  const configStore = createConfigStore(pools.config, clock);
  const adoptStored = () =>
    configStore.inTurn((turn) => {
      settings.adopt(turn.stored);
      return turn.noteRetention(settings.inForce());
    });

  const metrics = createBotMetrics(
    registry,
    () => settings.configFile().values,
    () => settings.ledger().retainDays,
  );
  const sequencer = createSequencer({
    pool: pools.log,
    clock,
    log,
    onNoticed: createNoticed({ log, onLinked: metrics.linked, onGap: metrics.gap }),
  });
  starting.adopt(sequencer, (it) => it.close());

  const spool = starting.use(
    await openSpool({ folder: join(folder.own, "spool"), maxBytes: config.spoolMaxBytes, clock, log }),
  );
  const alertOnP0Change = () => settings.inForce().values["gov.parameterchangeauditor"].alert_on_p0_change;
  const alertDelivery = createAlertDelivery(file.alerts, {
    pool: pools.alerts,
    clock,
    limits,
    alertOnP0Change,
    metrics: createAlertMetrics(registry),
    log,
  });
  const { raise } = alertDelivery;
  const outages = createOutages({
    spool,
    alerts: alertDelivery,
    pool: pools.read,
    nowMicros: clock.nowMicros,
    onReported: sequencer.nudge,
    log,
  });
  createSpoolMetrics(registry, spool, clock);
  const recordId = createRecordIds(clock);
  const replicas = starting.use(
    announceReplica({
      pool: pools.settings,
      id: replicaId(folder.own, recordId),
      isSpoolEmpty: () => spool.isEmpty,
      log,
    }),
  );
  const journals = starting.use(
    openJournals({
      connection: database.service,
      limits,
      spool,
      outages,
      onDrained() {
        sequencer.nudge();
        scrubber.nudge();
      },
      log,
      onBatch: createJournalMetrics(registry),
      traceOf: tracing.journal,
    }),
  );

  const identities = createIdentities(key, recordKeyId(key));
  const accessLog = createAccessLog(journals.access, clock, identities);
  const shared = { sequencer, replicas, pool: pools.read, accessLog, clock, recordId, key, limits, log };
  const ticketMetrics = createTicketMetrics(registry);
  const tickets = createCurrentTickets(file.tickets, { ...ticketMetrics, limits, clock, log });
  const onSettled = (recheck: Recheck) => {
    ticketMetrics.onSettled(recheck.status);
    sequencer.nudge();
  };
  const asking = { pool: pools.read, lookups: tickets.get, everyMs: limits.ticketRecheckEveryMs, onSettled };
  starting.use(startRechecks({ ...asking, clock, recordId, raise, log }));
  // Closed before the re-checks: nobody then waits for an answer.
  starting.use(tickets);
  const alerts = createAlerts({
    log,
    raise,
    alertOnP0Change,
    onP0Alert: metrics.p0Alerted,
    onNotRecorded: metrics.notRecorded,
  });
  const lastChange = starting.use(followLastChange(pools.settings, log));
  const auditor = {
    ...shared,
    policy: settings.policy,
    tickets: tracing.tickets(tickets.get),
    journal: journals.decisions,
    confirmations: journals.confirmations,
    drifts: journals.drifts,
    masking: createMasking(settings.secrets, key),
    onDecided: (row: DecisionRow) => {
      lastChange.recorded(row);
      metrics.decided(row);
      alerts.decided(row);
    },
    onNotRecorded: alerts.notRecorded,
    onUngated: (row: DecisionRow) => {
      lastChange.recorded(row);
      metrics.ungated(row);
      alerts.ungated(row);
    },
    onDrift: metrics.drifted,
  };
  const namedBots = createNamedBots(() => settings.configFile().values);
  const gate = tracing.gate(createGate(auditor), namedBots);
  const retainDays = starting.use(followRetainDays(pools.read, ledgerRule.bot, log));
  const { admin } = database;
  const connect = admin && (() => connectAdministrator(admin, log));
  const catchUp = () => sequencer.catchUp(limits.exportCatchUpMs);
  const purge = starting.use(createPurge({ connect, catchUp, clock, recordId, log }));
  if (admin !== undefined) starting.use(schedulePurge(purge, log));
  const note = noteScrubs(folder.path);
  const scrubber = createScrubber({ pool: pools.read, admin, clock, recordId, note, limits, log });
  starting.adopt(scrubber, (it) => it.close());
  const publishesOperations = () =>
    settings.inForce().values["gov.parameterchangeauditor"].publish_to_audit_log;
  const reports = createReports({
    sequencer,
    pool: pools.reports,
    accessLog,
    clock,
    registry,
    publishesOperations,
    limits,
    log,
  });
  const ledger = {
    ...shared,
    settings: settings.ledger,
    journal: journals.actions,
    fillJournal: journals.fills,
    identities,
    scrubber,
    retention: createLedgerRetention(retainDays.history),
    onRecorded: createRecorded({
      log,
      raise,
      onAction: metrics.recorded,
      onKillSwitch: metrics.killSwitchUsed,
      onAccountClose: scrubber.nudge,
    }),
  };
  const floors = createFloors({ ...shared, onRefused: metrics.refused });
  const rpcs = wholeContract([
    ...createLedger(ledger),
    ...createAuditor(gate, auditor),
    ...createAccessLogService(shared),
    ...reports.rpcs,
    ...createRetention({ ...shared, identities, purge }),
    ...createBotConfig({
      gate,
      settings,
      store: configStore,
      defaults: loadConfigFile(undefined).values,
      floors,
      onStored: sequencer.nudge,
      abort: (decisionId, confirmedBy) => {
        const row = {
          decisionId,
          outcome: "ABORTED",
          confirmedBy,
          confirmedMicros: clock.nowMicros(),
        } as const;
        return journals.confirmations.append(decisionId, [row]);
      },
    }),
  ]);

  const observer = createObserver(registry, log);
  const pipeline = tracing.pipeline(createPipeline({ authenticator, observer, accessLog, clock }));
  const preparation = starting.use(
    prepareDatabase({
      database,
      key,
      steps: [
        (client) => ensureMonths(client, clock),
        adoptStored,
        retainDays.load,
        lastChange.load,
        replicas.announce,
        journals.warm,
      ],
      log,
    }),
  );
  void preparation.done.then(() => {
    sequencer.nudge(); // What an earlier run committed last may not have its position yet.
    scrubber.nudge(); // What an earlier run did not finish.
  });
  await preparation.tried;
  starting.use(followStored({ pool: pools.settings, settings, log }));
  const draining = { connection: database.service, pool: pools.read, clock, limits, log };
  starting.use(drainLeftSpools(folder.left, { ...draining, prepared: preparation.done }));
  starting.use(endAbandoned({ pool: pools.settings, log }));
  starting.use(watchLog({ pool: pools.settings, registry, clock, nudge: sequencer.nudge, log }));

  const busOptions = { connection: database.service, ledger, registry, publishesOperations, limits, log };
  const bus = config.bus && starting.use(startBus(config.bus, busOptions));
  const isDatabaseReady = () => watch.isReachable() && preparation.isDone();
  const health = createHealthPages({
    clock,
    postgres: () => ({ isReachable: watch.isReachable(), isPrepared: preparation.isDone() }),
    buffer: spool.state,
    retainDays: () => settings.ledger().retainDays,
    retainHistoryDays: () => settings.inForce().values["gov.parameterchangeauditor"].retain_history_days,
    lastChangeMicros: lastChange.atMicros,
    eventStream: bus?.eventStream,
  });
  // Disposed of after the listeners: nobody waits for an answer then.
  starting.defer(() => database.letGo(limits.shutdownSessionsMs));
  starting.use(alertDelivery.start());
  const listeners = starting.adopt(
    await listen({
      rpcs,
      pipeline,
      clock,
      limits,
      log,
      isLocalOnly: config.auth.kind === "development",
      tls: config.tls,
      grpcAddress: config.grpcAddress,
      httpAddress: config.httpAddress,
      registry: overrides.part?.metricsPage(registry) ?? registry,
      health,
      canAnswer: (service) =>
        service !== UserActivityLedgerService.typeName ||
        isDatabaseReady() ||
        spool.state("gov.useractivityledger").isTaking,
    }),
    (it) => it.close(limits.shutdownCallsMs),
  );
  starting.use(reports); // Disposed of before the listeners: its streams end by themselves alone.
  // The event loop's delay is sampled 20 times a second: at its default of 100 that alone is an idle service's work.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 50 });
  floors.atStart(settings.inForce(), preparation.done);
  if (settings.ledger().scrubOnAccountClose && admin === undefined) {
    log.warn("closed accounts are scrubbed by another replica: this one has no DATABASE_ADMIN_URL");
  }

  const followed =
    config.filePath === undefined
      ? undefined
      : followConfigFile({
          path: config.filePath,
          everyMs: limits.configFileEveryMs,
          adopt: createAdoptFile({
            settings,
            tickets,
            alerts: alertDelivery,
            floors,
          }),
          settle: adoptStored,
          onState: createConfigFileMetric(registry),
          log,
        });
  if (followed !== undefined) starting.use(followed);

  const running = starting.move();
  return {
    grpcPort: listeners.grpcPort,
    httpPort: listeners.httpPort,
    isDatabaseReady,
    reloadConfigFile: followed?.reload,
    failed: Promise.race([database.failed, preparation.failed]),
    [Symbol.asyncDispose]() {
      stopBy = performance.now() + limits.shutdownMs;
      return running.disposeAsync();
    },
  };
}
