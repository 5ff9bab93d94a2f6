import { type Logger, pino } from "pino";
import { collectDefaultMetrics, Registry } from "prom-client";
import { type AccessRow, appendAccess, createAccessLog } from "./access/accessLog.ts";
import { appendDecisions, type DecisionOutcome, type DecisionRow } from "./auditor/append.ts";
import { createPolicy } from "./auditor/policy.ts";
import { createAuditor } from "./auditor/service.ts";
import { createBotConfig } from "./botConfig/service.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { loadConfigFile } from "./configFile.ts";
import { openDataFolder } from "./dataFolder.ts";
import { connectDatabase } from "./db/connect.ts";
import { keepMonths } from "./db/months.ts";
import { createPool } from "./db/pool.ts";
import { createJournal } from "./journal/journal.ts";
import { developmentAudience, developmentIssuer, loadDevelopmentKey } from "./keys/developmentKey.ts";
import { loadJwks } from "./keys/jwks.ts";
import { loadRecordKey, recordKeyId } from "./keys/recordKey.ts";
import { type ActionRow, type AppendOutcome, appendActions } from "./ledger/append.ts";
import { createIdentities } from "./ledger/identity.ts";
import { createLedger } from "./ledger/service.ts";
import { createSequencer } from "./log/sequencer.ts";
import { errorFields } from "./logging.ts";
import { createBotMetrics, createJournalMetrics } from "./metrics.ts";
import { userMessages } from "./reasonCodes.ts";
import { createRecordIds } from "./recordIds.ts";
import { createAuthenticator } from "./server/authenticate.ts";
import { wholeContract } from "./server/contract.ts";
import { listenGrpc } from "./server/grpcListener.ts";
import { listenHttp } from "./server/httpListener.ts";
import { createObserver } from "./server/observe.ts";
import { createPipeline } from "./server/pipeline.ts";
import { createReadiness } from "./server/readiness.ts";

export type Service = AsyncDisposable & {
  readonly grpcPort: number;
  readonly httpPort: number;
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
  const authenticator = createAuthenticator({ ...tokenChecks(config, folder.path, { nowMs, log }), nowMs });
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

  const sequencer = createSequencer({
    pool: logPool,
    clock,
    log,
    onNoticed: () => undefined,
  });
  starting.adopt(sequencer, (it) => it.close());
  sequencer.nudge(); // What an earlier run committed last may not have its position yet.

  const batches = createJournalMetrics(registry);
  const ledgerJournal = createJournal<ActionRow, AppendOutcome>({
    connection: database.service,
    name: "ledger",
    write: appendActions,
    onBatch: batches("ledger"),
    acceptedMicros: (row) => row.acceptedMicros,
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
    lanes: limits.auditorLanes,
    maxRows: limits.batchMaxRows,
    budgetMs: limits.auditorStoreBudgetMs,
    log,
  });
  const accessJournal = createJournal<AccessRow, undefined>({
    connection: database.service,
    name: "access",
    write: appendAccess,
    onBatch: batches("access"),
    acceptedMicros: (row) => row.atMicros,
    lanes: 1,
    maxRows: limits.batchMaxRows,
    budgetMs: limits.ledgerStoreBudgetMs,
    log,
  });
  for (const journal of [ledgerJournal, auditorJournal, accessJournal]) {
    starting.adopt(journal, (it) => it.close());
  }

  const metrics = createBotMetrics(registry, file);
  const accessLog = createAccessLog(accessJournal, clock);
  const recordId = createRecordIds(clock);
  const settings = {
    mode: file["gov.useractivityledger"].mode,
    retainDays: file["gov.useractivityledger"].retain_days,
    scrubOnAccountClose: file["gov.useractivityledger"].scrub_on_account_close,
    publishToUser: file["gov.useractivityledger"].publish_to_user,
  };
  const policy = createPolicy({
    mode: file["gov.parameterchangeauditor"].mode,
    requireTicketFor: file["gov.parameterchangeauditor"].require_ticket_for,
    tiers: file.tiers,
    stopping: file.stopping,
  });
  const shared = { sequencer, pool: readPool, accessLog, clock, recordId, key, limits, log };
  const rpcs = wholeContract([
    ...createLedger({
      ...shared,
      settings: () => settings,
      journal: ledgerJournal,
      identities: createIdentities(key, recordKeyId(key)),
      onRecorded: metrics.recorded,
    }),
    ...createAuditor({
      ...shared,
      policy: () => policy,
      journal: auditorJournal,
      onDecided: metrics.decided,
    }),
    ...createBotConfig(file, loadConfigFile(undefined).values, config.fileKeys),
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
  warnOfFloors(file, log);

  const running = starting.move();
  return {
    grpcPort: grpc.port,
    httpPort: http.port,
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
function warnOfFloors(file: Config["file"], log: Logger): void {
  const { retain_days: retainDays } = file["gov.useractivityledger"];
  if (retainDays < 2555) {
    const reasonCode = "RETENTION_BELOW_REGULATORY_MINIMUM";
    log[retainDays < 1825 ? "error" : "warn"]({ reasonCode, retainDays }, userMessages[reasonCode]);
  }
  const { retain_history_days: retainHistoryDays } = file["gov.parameterchangeauditor"];
  if (retainHistoryDays < 90) {
    const reasonCode = "AUDIT_RETENTION_WARN";
    log.warn({ reasonCode, retainHistoryDays }, userMessages[reasonCode]);
  }
}
