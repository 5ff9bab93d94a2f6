import { type Logger, pino } from "pino";
import { collectDefaultMetrics, Registry } from "prom-client";
import { appendAccess, createAccessLog, hashedAccess, type NewAccessRow } from "./access/accessLog.ts";
import { createAccessLogService } from "./access/service.ts";
import { createAlerts } from "./auditor/alerts.ts";
import { appendDecisions, type DecisionOutcome, type DecisionRow } from "./auditor/append.ts";
import { createGate } from "./auditor/gate.ts";
import {
  appendConfirmations,
  type ConfirmationAnswer,
  type ConfirmationRow,
} from "./auditor/history/confirm.ts";
import { appendDrifts, type DriftRow } from "./auditor/history/drift.ts";
import { createMasking } from "./auditor/secrets/masking.ts";
import { createAuditor } from "./auditor/service.ts";
import { createAdoptFile } from "./botConfig/adoptFile.ts";
import { followStored } from "./botConfig/follow.ts";
import type { InForce } from "./botConfig/inForce.ts";
import { createBotConfig } from "./botConfig/service.ts";
import { createSettings } from "./botConfig/settings.ts";
import { createConfigStore } from "./botConfig/store.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { loadConfigFile } from "./configFile.ts";
import { openDataFolder } from "./dataFolder.ts";
import { connectDatabase } from "./db/connect.ts";
import { keepMonths } from "./db/months.ts";
import { createPool } from "./db/pool.ts";
import { followConfigFile } from "./followConfigFile.ts";
import { createJournal } from "./journal/journal.ts";
import { developmentAudience, developmentIssuer, loadDevelopmentKey } from "./keys/developmentKey.ts";
import { loadJwks } from "./keys/jwks.ts";
import { loadRecordKey, recordKeyId } from "./keys/recordKey.ts";
import { type ActionRow, type AppendOutcome, appendActions } from "./ledger/append.ts";
import { createClosedWallets } from "./ledger/closed.ts";
import { appendFills, type FillOutcome, type FillRow } from "./ledger/fills/append.ts";
import { hashedFill } from "./ledger/fills/storeFills.ts";
import { createIdentities } from "./ledger/identity.ts";
import { createNoticed } from "./ledger/noticed.ts";
import { createRecorded } from "./ledger/recorded.ts";
import { createLedgerRetention } from "./ledger/retention.ts";
import { createScrubber } from "./ledger/scrub/scrubber.ts";
import { createLedger } from "./ledger/service.ts";
import { hashedAction } from "./ledger/storeActions.ts";
import { createSequencer } from "./log/sequencer.ts";
import { errorFields } from "./logging.ts";
import {
  createBotMetrics,
  createConfigFileMetric,
  createJournalMetrics,
  createTicketMetrics,
} from "./metrics.ts";
import { userMessages } from "./reasonCodes.ts";
import { createRecordIds } from "./recordIds.ts";
import { connectAdministrator } from "./retention/administrator.ts";
import { followRetainDays } from "./retention/followRetainDays.ts";
import { createPurge } from "./retention/purge.ts";
import { ledgerRule } from "./retention/rules.ts";
import { schedulePurge } from "./retention/schedule.ts";
import { createRetention } from "./retention/service.ts";
import { createAuthenticator } from "./server/authenticate.ts";
import { wholeContract } from "./server/contract.ts";
import { listenGrpc } from "./server/grpcListener.ts";
import { listenHttp } from "./server/httpListener.ts";
import { createObserver } from "./server/observe.ts";
import { createPipeline } from "./server/pipeline.ts";
import { createReadiness } from "./server/readiness.ts";
import { createCurrentTickets } from "./tickets/current.ts";
import type { Recheck } from "./tickets/recheckStore.ts";
import { startRechecks } from "./tickets/rechecks.ts";

export type Service = AsyncDisposable & {
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Reads the config file now; undefined where there is none. */
  readonly reloadConfigFile: (() => Promise<void>) | undefined;
  /** Resolves when the service cannot go on by itself, with the reason. */
  readonly failed: Promise<string>;
};

/**
 * Composes the service and starts it. Disposing stops it: new calls are refused, what was taken is
 * answered, the database is let go last. Throws a StartupError when it cannot start.
 */
export async function startService(
  config: Config,
  overrides: { clock?: Clock; log?: Logger } = {},
): Promise<Service> {
  const { limits, file } = config;
  const clock = overrides.clock ?? systemClock();
  const log = overrides.log ?? pino({ level: config.logLevel, serializers: { err: errorFields } });
  const registry = new Registry();
  await using starting = new AsyncDisposableStack();

  const folder = starting.use(await openDataFolder(config.dataDir));
  const key = loadRecordKey(config.scrubKeyFile, folder.path);
  const nowMs = () => clock.nowMicros() / 1000;
  const authenticator = createAuthenticator({
    ...tokenChecks(config, folder.path, { nowMs, log }),
    nowMs,
    breakGlassMaxMinutes: config.breakGlassMaxMinutes,
  });
  const database = starting.use(await connectDatabase(config, folder.path, key));

  const poolOf = (name: string, max: number, synchronousCommit: "on" | "off") => {
    const session = {
      statementTimeoutMs: limits.readStatementTimeoutMs,
      lockTimeoutMs: limits.readStatementTimeoutMs,
      connectTimeoutMs: limits.connectTimeoutMs,
      synchronousCommit,
    };
    const pool = createPool({ connection: database.service, name, max, limits: session, log });
    return starting.adopt(pool, (it) => it.end());
  };
  const readPool = poolOf("read", limits.readConnections, "on");
  const logPool = poolOf("log", 2, "off");
  starting.use(await keepMonths(readPool, clock, log));

  const configPool = (name: string) => {
    const session = {
      statementTimeoutMs: limits.configStatementTimeoutMs,
      lockTimeoutMs: limits.configStatementTimeoutMs,
      connectTimeoutMs: limits.configStatementTimeoutMs,
    };
    // Whoever follows the parameters must not wait for ever on a connection that says nothing.
    const connection = { ...database.service, query_timeout: limits.configAnswerWithinMs };
    const pool = createPool({ connection, name, max: 1, limits: session, log });
    return starting.adopt(pool, (it) => it.end());
  };
  const settings = createSettings({ file, inFile: config.fileKeys, log });
  const configStore = createConfigStore(configPool("config"), clock);
  await configStore.inTurn(async (turn) => {
    settings.adopt(turn.stored);
    await turn.noteRetention(settings.inForce());
  });
  starting.use(followStored({ pool: configPool("settings"), settings, log }));

  const metrics = createBotMetrics(
    registry,
    () => settings.configFile().values,
    () => settings.ledger().retainDays,
  );
  const sequencer = createSequencer({
    pool: logPool,
    clock,
    log,
    onNoticed: createNoticed({ log, onLinked: metrics.linked, onGap: metrics.gap }),
  });
  starting.adopt(sequencer, (it) => it.close());
  sequencer.nudge(); // What an earlier run committed last may not have its position yet.

  const batches = createJournalMetrics(registry);
  const closed = createClosedWallets();
  const ledgerJournal = createJournal<ActionRow, AppendOutcome>({
    connection: database.service,
    name: "ledger",
    write: closed.hashing(appendActions, hashedAction),
    onBatch: batches("ledger"),
    acceptedMicros: (row) => row.acceptedMicros,
    tables: ["ledger.user_action", "ledger.fill_link"],
    lanes: limits.ledgerLanes,
    maxRows: limits.batchMaxRows,
    budgetMs: limits.ledgerStoreBudgetMs,
    log,
  });
  const fillJournal = createJournal<FillRow, FillOutcome>({
    connection: database.service,
    name: "fills",
    write: closed.hashing(appendFills, hashedFill),
    onBatch: batches("fills"),
    acceptedMicros: (row) => row.acceptedMicros,
    tables: ["ledger.fill_report"],
    lanes: limits.ledgerLanes,
    maxRows: limits.batchMaxRows,
    budgetMs: limits.ledgerStoreBudgetMs,
    log,
  });
  const auditorJournal = createJournal<DecisionRow, DecisionOutcome>({
    connection: database.service,
    name: "auditor",
    write: appendDecisions,
    onBatch: batches("auditor"),
    acceptedMicros: (row) => row.acceptedMicros,
    tables: ["auditor.parameter_change"],
    lanes: limits.auditorLanes,
    maxRows: limits.batchMaxRows,
    budgetMs: limits.auditorStoreBudgetMs,
    log,
  });
  const confirmations = createJournal<ConfirmationRow, ConfirmationAnswer>({
    connection: database.service,
    name: "confirmations",
    write: appendConfirmations,
    onBatch: batches("confirmations"),
    acceptedMicros: (row) => row.confirmedMicros,
    tables: ["auditor.confirmation"],
    lanes: 1,
    maxRows: limits.batchMaxRows,
    budgetMs: limits.auditorStoreBudgetMs,
    log,
  });
  const drifts = createJournal<DriftRow, undefined>({
    connection: database.service,
    name: "drifts",
    write: appendDrifts,
    onBatch: batches("drifts"),
    acceptedMicros: (row) => row.acceptedMicros,
    tables: ["auditor.config_drift"],
    lanes: 1,
    maxRows: limits.batchMaxRows,
    budgetMs: limits.driftStoreBudgetMs,
    log,
  });
  const accessJournal = createJournal<NewAccessRow, undefined>({
    connection: database.service,
    name: "access",
    write: closed.hashing(appendAccess, hashedAccess),
    onBatch: batches("access"),
    acceptedMicros: (row) => row.atMicros,
    tables: ["access.read_log"],
    lanes: 1,
    maxRows: limits.batchMaxRows,
    budgetMs: limits.ledgerStoreBudgetMs,
    log,
  });
  for (const journal of [ledgerJournal, fillJournal, auditorJournal, confirmations, drifts, accessJournal]) {
    starting.adopt(journal, (it) => it.close());
  }

  const identities = createIdentities(key, recordKeyId(key));
  const accessLog = createAccessLog(accessJournal, clock, identities);
  const recordId = createRecordIds(clock);
  const shared = { sequencer, pool: readPool, accessLog, clock, recordId, key, limits, log };
  const ticketMetrics = createTicketMetrics(registry);
  const tickets = createCurrentTickets(file.tickets, { ...ticketMetrics, limits, clock, log });
  const onSettled = (recheck: Recheck) => {
    ticketMetrics.onSettled(recheck.status);
    sequencer.nudge();
  };
  const everyMs = limits.ticketRecheckEveryMs;
  starting.use(
    startRechecks({ pool: readPool, lookups: tickets.get, clock, recordId, everyMs, onSettled, log }),
  );
  // Closed before the re-checks: nobody then waits for an answer.
  starting.use(tickets);
  const alerts = createAlerts({
    log,
    alertOnP0Change: () => settings.inForce().values["gov.parameterchangeauditor"].alert_on_p0_change,
    onP0Alert: metrics.p0Alerted,
  });
  const auditor = {
    ...shared,
    policy: settings.policy,
    tickets: tickets.get,
    journal: auditorJournal,
    confirmations,
    drifts,
    masking: createMasking(settings.secrets, key),
    onDecided: (row: DecisionRow) => {
      metrics.decided(row);
      alerts.decided(row);
    },
    onNotRecorded: alerts.notRecorded,
    onUngated: (row: DecisionRow) => {
      metrics.ungated(row);
      alerts.ungated(row);
    },
    onDrift: metrics.drifted,
  };
  const gate = createGate(auditor);
  const retainDays = starting.use(await followRetainDays(readPool, ledgerRule.bot, log));
  const { admin } = database;
  const connect = admin && (() => connectAdministrator(admin, log));
  const catchUp = () => sequencer.catchUp(limits.exportCatchUpMs);
  const purge = starting.use(createPurge({ connect, catchUp, clock, recordId, log }));
  if (admin !== undefined) starting.use(schedulePurge(purge, log));
  const scrubber = createScrubber({ pool: readPool, admin, clock, recordId, limits, log });
  starting.adopt(scrubber, (it) => it.close());
  scrubber.nudge(); // What an earlier run did not finish.
  const rpcs = wholeContract([
    ...createLedger({
      ...shared,
      settings: settings.ledger,
      journal: ledgerJournal,
      fillJournal,
      identities,
      scrubber,
      retention: createLedgerRetention(retainDays.history),
      onRecorded: createRecorded({
        log,
        onAction: metrics.recorded,
        onKillSwitch: metrics.killSwitchUsed,
        onAccountClose: scrubber.nudge,
      }),
    }),
    ...createAuditor(gate, auditor),
    ...createAccessLogService(shared),
    ...createRetention({ ...shared, identities, purge }),
    ...createBotConfig({
      gate,
      settings,
      store: configStore,
      defaults: loadConfigFile(undefined).values,
      onRefused: metrics.refused,
      onStored: sequencer.nudge,
      log,
    }),
  ]);

  const pipeline = createPipeline({
    authenticator,
    observer: createObserver(registry, log),
    accessLog,
    clock,
  });
  const listening = { rpcs, pipeline, clock, limits, tls: config.tls };
  const grpc = starting.adopt(await listenGrpc({ ...listening, address: config.grpcAddress }), (it) =>
    it.close(limits.shutdownMs),
  );
  const ready = createReadiness(() => logPool.query("select 1"), limits.readyWithinMs);
  const httpOptions = { ...listening, address: config.httpAddress, registry, ready };
  const http = starting.adopt(await listenHttp(httpOptions), (it) => it.close(limits.shutdownMs));
  collectDefaultMetrics({ register: registry });
  warnOfFloors(settings.inForce(), log);
  if (settings.ledger().scrubOnAccountClose && admin === undefined) {
    log.warn("closed accounts are scrubbed by another replica: this one has no DATABASE_ADMIN_URL");
  }

  const followed =
    config.filePath === undefined
      ? undefined
      : followConfigFile({
          path: config.filePath,
          everyMs: limits.configFileEveryMs,
          adopt: createAdoptFile({ settings, tickets, onRefused: metrics.refused, log }),
          settle: () =>
            configStore.inTurn((turn) => {
              settings.adopt(turn.stored);
              return turn.noteRetention(settings.inForce());
            }),
          onState: createConfigFileMetric(registry),
          log,
        });
  if (followed !== undefined) starting.use(followed);

  const running = starting.move();
  return {
    grpcPort: grpc.port,
    httpPort: http.port,
    reloadConfigFile: followed?.reload,
    failed: database.failed,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function tokenChecks(config: Config, dataDir: string, surroundings: { nowMs: () => number; log: Logger }) {
  if (config.auth.kind === "jwks") {
    const { jwks, issuer, audience } = config.auth;
    return { keys: loadJwks(jwks, surroundings), issuer, audience };
  }
  const { checking } = loadDevelopmentKey(dataDir);
  return { keys: async () => checking, issuer: developmentIssuer, audience: developmentAudience };
}

/** A start-up value below a floor does not stop the service; it is said loudly (R2, R3). */
function warnOfFloors({ values }: InForce, log: Logger): void {
  const { retain_days: retainDays } = values["gov.useractivityledger"];
  if (retainDays < 2555) {
    const reasonCode = "RETENTION_BELOW_REGULATORY_MINIMUM";
    log[retainDays < 1825 ? "error" : "warn"]({ reasonCode, retainDays }, userMessages[reasonCode]);
  }
  const { retain_history_days: retainHistoryDays } = values["gov.parameterchangeauditor"];
  if (retainHistoryDays < 90) {
    const reasonCode = "AUDIT_RETENTION_WARN";
    log.warn({ reasonCode, retainHistoryDays }, userMessages[reasonCode]);
  }
}
