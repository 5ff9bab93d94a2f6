import pg from "pg";
import type { Logger } from "pino";
import { RetentionService } from "../../../gen/ts/polytraders/governance/v1/retention_service_pb.ts";
import { loadRecordKey, recordKeyId } from "../../../src/keys/recordKey.ts";
import { createIdentities, type Identities } from "../../../src/ledger/identity.ts";
import type { Role } from "../../../src/server/access.ts";
import { type AuditorClient, auditorAs, type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { type StoppedClock, stoppedClock } from "../../support/clock.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";
import { type ActionInit, action } from "../ledger/actions.ts";

/** A service whose clock a test sets back, so that it records what is old by now, and may purge. */
export type Past = AsyncDisposable & {
  readonly service: TestService;
  readonly database: TestDatabase;
  readonly clock: StoppedClock;
  readonly bot: LedgerClient;
  readonly compliance: LedgerClient;
  readonly auditing: AuditorClient;
  readonly retention: RetentionClient;
  readonly operating: RetentionClient;
  readonly identities: Identities;
  /** Records an action at that time. */
  act(at: string, eventId: string, more?: Partial<ActionInit>): Promise<void>;
  /** Asks the gate at that time. */
  change(at: string, paramName: string, botSlug?: string): Promise<void>;
  /** Sets the clock to now: the purge wants it to agree with the database's. */
  comeBack(): void;
  /** The event ids that compliance reads, oldest first. */
  eventIds(): Promise<string[]>;
};

type RetentionClient = ReturnType<typeof retentionClient>;

function retentionClient(service: TestService, token: string) {
  return service.client(RetentionService, token);
}

const ttlSeconds = 50 * 366 * 86_400;

export async function startPast(
  options: { config?: string; withAdmin?: boolean; at?: string; database?: TestDatabase; log?: Logger } = {},
): Promise<Past> {
  await using starting = new AsyncDisposableStack();
  const clock = stoppedClock(options.at ?? "2016-01-10T12:00:00Z");
  const database = options.database ?? starting.use(await createTestDatabase());
  const service = starting.use(
    await startTestService({
      clock,
      database,
      ...(options.config === undefined ? {} : { config: options.config }),
      ...(options.log === undefined ? {} : { log: options.log }),
      env: options.withAdmin === false ? {} : { DATABASE_ADMIN_URL: database.url("admin") },
    }),
  );
  const as = async (role: Role, subject: string) =>
    retentionClient(service, await service.token({ roles: [role], subject, ttlSeconds }));
  const bot = await ledgerAs(service, "bot");
  const compliance = await ledgerAs(service, "compliance");
  const gate = await auditorAs(service, "config-store");
  const key = loadRecordKey(undefined, service.dataDir);
  const running = starting.move();

  return {
    service,
    database,
    clock,
    bot,
    compliance,
    auditing: await auditorAs(service, "compliance"),
    retention: await as("compliance", "carol"),
    operating: await as("operator", "oscar"),
    identities: createIdentities(key, recordKeyId(key)),
    async act(at, eventId, more) {
      clock.set(at);
      await bot.recordUserAction(action(eventId, more));
    },
    async change(at, paramName, botSlug = "risk.guard") {
      clock.set(at);
      await gate.checkWrite(write(paramName, { botSlug }));
    },
    comeBack: () => clock.set(new Date().toISOString()),
    async eventIds() {
      const { actions } = await compliance.listUserActions({ pageSize: 1000 });
      return actions.map(({ report }) => report?.eventId ?? "").reverse();
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Moves what stands in a table of the purge's own records into the past, as nobody but the owner can. */
export async function makeOlder(
  database: TestDatabase,
  table: string,
  column: string,
  by: string,
): Promise<void> {
  const client = new pg.Client({ connectionString: database.url("admin") });
  await client.connect();
  try {
    await client.query("set role governance_owner");
    await client.query("set governance.maintenance = 'on'");
    await client.query(`update ${table} set ${column} = ${column} - interval '${by}'`);
  } finally {
    await client.end();
  }
}

/** All tables of the schema that detached months wait in. */
export async function outOfReach(database: TestDatabase): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    "superuser",
    "select relname as name from pg_class where relnamespace = 'purged'::regnamespace and relkind = 'r' order by 1",
  );
  return rows.map(({ name }) => name.replace(/_\d+$/, ""));
}

/** The months that a table has partitions for. */
export async function monthsOf(database: TestDatabase, table: string): Promise<string[]> {
  const rows = await database.query<{ month: string }>(
    "superuser",
    `select replace(right(inhrelid::regclass::text, 7), '_', '-') as month from pg_inherits
     where inhparent = $1::regclass order by 1`,
    [table],
  );
  return rows.map(({ month }) => month);
}
