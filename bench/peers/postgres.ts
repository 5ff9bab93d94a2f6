/** How a peer reaches Postgres. `host` is a name, or the folder of a Unix socket. */
export interface PostgresConnection {
  host: string;
  port: number;
  user: string;
  password?: string;
  database: string;
}
