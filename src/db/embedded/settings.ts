/** The port in the name of the socket; nothing listens on TCP. */
export const PORT = 5432;

const DEFAULTS = {
  listen_addresses: "",
  port: String(PORT),
  unix_socket_permissions: "0700",
  max_connections: "100",
  max_prepared_transactions: "0",
  fsync: "on",
  full_page_writes: "on",
  synchronous_commit: "on",
  wal_level: "replica",
  shared_buffers: "128MB",
  max_wal_size: "2GB",
  checkpoint_timeout: "15min",
  // Statements are short: compiling them costs more than it saves.
  jit: "off",
  // Fewer idle processes: nothing here reads ahead much, nor replicates logically.
  io_method: "sync",
  max_logical_replication_workers: "0",
  TimeZone: "UTC",
  log_timezone: "UTC",
  lc_messages: "C",
  // Details quote the rows they complain of, which are no business of the log.
  log_error_verbosity: "terse",
  cluster_name: "governance",
} as const;

/** Postgres' arguments: our settings, over which `extra` wins. They win over those in the cluster's own files. */
export function serverArguments(
  dataDir: string,
  socketDir: string,
  extra: Readonly<Record<string, string>>,
): string[] {
  const socket = { unix_socket_directories: `"${socketDir.replaceAll('"', '""')}"` };
  const settings = Object.entries({ ...DEFAULTS, ...socket, ...extra });
  return ["-D", dataDir, ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])];
}

/** What Postgres' programs see of our environment: none of its secrets, and nothing that changes their behaviour. */
export function childEnvironment(): Record<string, string> {
  return { LC_ALL: "C", TZ: "UTC", PATH: process.env.PATH ?? "/usr/bin:/bin" };
}
