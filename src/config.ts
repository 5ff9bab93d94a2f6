import { resolve } from "node:path";
import { type BusSettings, loadBus } from "./bus/settings.ts";
import { type ConfigFile, type ConfigFileKeys, loadConfigFile } from "./configFile.ts";
import { isLoopback, type ListenAddress, parseAddress } from "./server/address.ts";
import { loadTls, type TlsFiles } from "./server/tls.ts";
import { StartupError } from "./startupError.ts";
import { type TracingSettings, tracingSettings } from "./tracing/settings.ts";

/** Everything that can be set, checked. Units are in the names. */
export type Config = {
  readonly database:
    | { readonly kind: "embedded" }
    | { readonly kind: "external"; readonly url: string; readonly adminUrl: string | undefined };
  readonly dataDir: string;
  /** How many processes serve on the listeners. */
  readonly processes: number;
  readonly grpcAddress: ListenAddress;
  readonly httpAddress: ListenAddress;
  readonly tls: TlsFiles | undefined;
  readonly auth:
    | { readonly kind: "development" }
    | { readonly kind: "jwks"; readonly jwks: string; readonly issuer: string; readonly audience: string };
  /** A token with the role break-glass is good for this long at most. */
  readonly breakGlassMaxMinutes: number;
  readonly scrubKeyFile: string | undefined;
  /** What the spool may hold, both bots together; those of all processes. */
  readonly spoolMaxBytes: number;
  /** Absent: the defaults are in force. */
  readonly filePath: string | undefined;
  readonly file: ConfigFile;
  readonly fileKeys: ConfigFileKeys;
  readonly logLevel: string;
  /** undefined: calls are not traced. */
  readonly tracing: TracingSettings | undefined;
  /** undefined: no bus is read or written. */
  readonly bus: BusSettings | undefined;
  readonly limits: Limits;
};

/** What nothing sets from outside. */
export const limits = {
  messageMaxBytes: 4 * 1024 * 1024,
  /** What both listeners bear: see GuardLimits, HttpLimits and what they are made of. */
  connectionsPerListener: 5_000,
  connectionsWaitingMax: 4_096,
  firstCallWithinMs: 20_000,
  offencesBeforeSlow: 3,
  offenceMs: 10_000,
  slowConnectionEveryMs: 2_000,
  handshakeWithinMs: 10_000,
  /** How often the files of the TLS settings are looked at. */
  tlsFilesEveryMs: 10_000,
  connectionIdleMs: 1_800_000,
  headersMaxBytes: 16 * 1024,
  headersMaxCount: 128,
  headersWithinMs: 10_000,
  requestWithinMs: 30_000,
  httpKeepAliveMs: 75_000,
  requestsPerConnection: 8,
  streamsPerConnection: 200,
  resetsAtOnce: 400,
  resetsPerSecond: 100,
  pingsPerSecond: 5_000,
  settingsPerSecond: 100,
  smallFramesPerSecond: 5_000,
  overheadBytesPerSecond: 1024 * 1024,
  invalidFramesPerConnection: 1_000,
  rejectedStreamsPerConnection: 100,
  connectionMaxMegabytes: 64,
  arrivingMaxBytes: 128 * 1024 * 1024,
  /** Commits side by side: streams spread over the lanes, single calls share one for larger batches. */
  ledgerLanes: 2,
  auditorLanes: 1,
  batchMaxRows: 1000,
  /** What the database has for a batch before it goes to the spool. */
  ledgerStoreBudgetMs: 500,
  auditorStoreBudgetMs: 250,
  /** Up to 10,000 drifts go in one batch. */
  driftStoreBudgetMs: 4_000,
  readStatementTimeoutMs: 30_000,
  readConnections: 10,
  /** What the database has for a statement on the service's own parameters, and the network for its answer. */
  configStatementTimeoutMs: 1_500,
  configAnswerWithinMs: 2_000,
  /** Asking the ticket system: see LookupLimits and createRechecks. */
  ticketRequestMs: 5_000,
  ticketRequestsUnderWay: 64,
  ticketFailuresToOpen: 5,
  ticketPauseMs: 10_000,
  ticketRecheckEveryMs: 30_000,
  /** Alerting people: see OutboxLimits and followCommitted. */
  alertTimeoutMs: 5_000,
  alertRetryMinMs: 500,
  alertRetryMaxMs: 15_000,
  alertsWaitingMax: 1_000,
  alertsEveryMs: 2_000,
  /** How long a reader waits for the log to place everything committed before its call. */
  listCatchUpMs: 1_000,
  exportCatchUpMs: 10_000,
  /** The stream of reports: one connection reads for all who are live, the others for who lags. */
  reportConnections: 3,
  /** What the network has for an answer: live readers must not wait for ever on a connection that says nothing. */
  reportAnswerWithinMs: 10_000,
  /** How often it is asked whether another replica committed something, while anybody reads. */
  reportsPollMs: 250,
  /** The bus: how often it is looked at, what the database has for a batch, and how long a stream is away before that is told. */
  busEveryMs: 1_000,
  busStoreBudgetMs: 5_000,
  busAwayMs: 30_000,
  connectTimeoutMs: 3_000,
  /** How often closed accounts that could not be scrubbed yet are tried again. */
  scrubEveryMs: 10_000,
  /** How often the config file is looked at. */
  configFileEveryMs: 1_000,
  /** Stopping, in all; of it the calls under way have this, and then the sessions on the database. */
  shutdownMs: 9_500,
  shutdownCallsMs: 6_000,
  shutdownSessionsMs: 1_500,
  shutdownAlertsMs: 500,
  shutdownTracesMs: 1_000,
  /** How long a span waits at most for others to be sent with. */
  tracesEveryMs: 1_000,
} as const;

export type Limits = { readonly [name in keyof typeof limits]: number };

const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];

/** Reads the settings. Throws a StartupError that names the setting, what is wrong and what would be right. */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const grpcAddress = parseAddress("GOVERNANCE_GRPC_ADDR", env.GOVERNANCE_GRPC_ADDR || "127.0.0.1:50051");
  const httpAddress = parseAddress("GOVERNANCE_HTTP_ADDR", env.GOVERNANCE_HTTP_ADDR || "127.0.0.1:8080");
  const auth = authSettings(env);
  if (auth.kind === "development") {
    for (const [setting, address] of [
      ["GRPC", grpcAddress],
      ["HTTP", httpAddress],
    ] as const) {
      if (isLoopback(address)) continue;
      throw new StartupError(
        `GOVERNANCE_${setting}_ADDR: ${address.text} can be reached from other machines, and tokens are checked with the development key; set GOVERNANCE_JWKS, GOVERNANCE_JWT_ISSUER and GOVERNANCE_JWT_AUDIENCE, or listen on 127.0.0.1`,
      );
    }
  }
  const logLevel = env.GOVERNANCE_LOG_LEVEL || "info";
  if (!logLevels.includes(logLevel)) {
    throw new StartupError(`GOVERNANCE_LOG_LEVEL: "${logLevel}" is not one of ${logLevels.join(", ")}`);
  }
  const filePath = env.GOVERNANCE_CONFIG_FILE || undefined;
  const { values, set } = loadConfigFile(filePath);
  return {
    database: databaseSettings(env),
    dataDir: dataDir(env),
    processes: processes(env.GOVERNANCE_PROCESSES || "1"),
    grpcAddress,
    httpAddress,
    tls: loadTls(env),
    auth,
    breakGlassMaxMinutes: breakGlassMaxMinutes(env.GOVERNANCE_BREAK_GLASS_MAX_MINUTES || "60"),
    scrubKeyFile: env.GOVERNANCE_SCRUB_KEY_FILE || undefined,
    spoolMaxBytes: spoolMaxMebibytes(env.GOVERNANCE_SPOOL_MAX_MIB || "512") * 1024 * 1024,
    filePath,
    file: values,
    fileKeys: set,
    logLevel,
    tracing: tracingSettings(env),
    bus: loadBus(env),
    limits,
  };
}

function breakGlassMaxMinutes(text: string): number {
  const minutes = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (minutes >= 1 && minutes <= 1440) return minutes;
  throw new StartupError(`GOVERNANCE_BREAK_GLASS_MAX_MINUTES: "${text}" is not a number from 1 to 1440`);
}

function processes(text: string): number {
  const count = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= 64) return count;
  throw new StartupError(`GOVERNANCE_PROCESSES: "${text}" is not a number from 1 to 64`);
}

function spoolMaxMebibytes(text: string): number {
  const mebibytes = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (mebibytes >= 1 && mebibytes <= 1_048_576) return mebibytes;
  throw new StartupError(`GOVERNANCE_SPOOL_MAX_MIB: "${text}" is not a number from 1 to 1048576`);
}

/** The data folder, absolute; also for commands that only need the development key in it. */
export function dataDir(env: NodeJS.ProcessEnv): string {
  return resolve(env.GOVERNANCE_DATA_DIR || ".governance");
}

/** Where the database is, for commands that need nothing else. */
export function databaseSettings(env: NodeJS.ProcessEnv): Config["database"] {
  const adminUrl = env.DATABASE_ADMIN_URL || undefined;
  if (!env.DATABASE_URL) {
    if (adminUrl !== undefined) {
      throw new StartupError(
        "DATABASE_ADMIN_URL: is set without DATABASE_URL; set both, or neither for the embedded database",
      );
    }
    return { kind: "embedded" };
  }
  const url = postgresUrl("DATABASE_URL", env.DATABASE_URL);
  return {
    kind: "external",
    url,
    adminUrl: adminUrl === undefined ? undefined : postgresUrl("DATABASE_ADMIN_URL", adminUrl),
  };
}

function postgresUrl(setting: string, text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    // The text itself may hold a password.
    throw new StartupError(`${setting}: is not a URL like postgresql://user:password@host:5432/database`);
  }
  if (url.username === "")
    throw new StartupError(`${setting}: names no user; postgresql://user:password@host:5432/database`);
  return text;
}

function authSettings(env: NodeJS.ProcessEnv): Config["auth"] {
  const { GOVERNANCE_JWKS: jwks, GOVERNANCE_JWT_ISSUER: issuer, GOVERNANCE_JWT_AUDIENCE: audience } = env;
  if (!jwks && !issuer && !audience) return { kind: "development" };
  if (!jwks || !issuer || !audience) {
    throw new StartupError(
      "GOVERNANCE_JWKS, GOVERNANCE_JWT_ISSUER and GOVERNANCE_JWT_AUDIENCE: set all three, or none for the development key",
    );
  }
  return { kind: "jwks", jwks, issuer, audience };
}
