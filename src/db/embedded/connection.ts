import { PORT } from "./settings.ts";

/** How to connect, as part of pg's PoolConfig. */
export type ConnectionSettings = {
  /** The socket's folder. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Always off: a socket needs none, and PGSSLMODE in our environment may ask for it. */
  readonly ssl: false;
};

/** The settings by which `user` connects to the database over the socket in `socketDir`. */
export function connection(
  socketDir: string,
  user: string,
  password: string,
  database: string,
): ConnectionSettings {
  return { host: socketDir, port: PORT, user, password, database, ssl: false };
}
