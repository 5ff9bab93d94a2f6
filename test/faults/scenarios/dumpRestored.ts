import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BotConfigService } from "../../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { runCli } from "../../support/cli.ts";
import { actionRequest } from "../load/actions.ts";
import { connect } from "../load/connection.ts";
import { balancedCrowd } from "../load/load.ts";
import { lacksDebian, run, startDebian } from "../parts/debian.ts";
import { runVictim, type Victim } from "../parts/postgres.ts";
import type { Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";

/** The wallet of an account that is closed after the dump. */
const wallet = `0x${"c105ed".padEnd(40, "7")}`;

/**
 * The drill of docs/running.md, "Back up and restore": a dump under load, the cluster lost for good, the dump restored
 * into a new one, whose transaction ids begin anew, or, every other time, are beyond the old one's.
 */
export const dumpRestored: Scenario = {
  kind: "staged",
  name: "dump-restored",
  fault: "the cluster is lost; a dump of it is restored into a new one, scrubs are applied again",
  rounds: 1,
  skip: lacksDebian,
  setting: {
    startPostgres: startDebian,
    crowd: balancedCrowd,
    settings: (postgres) => ({ DATABASE_ADMIN_URL: postgres.url("admin") }),
  },
  async play(stage) {
    const files = { roles: join(stage.folder, "roles.sql"), dump: join(stage.folder, "dump") };
    const old = stage.postgres;
    await openAccount(stage);
    await stage.load();
    await sleep(stage.random.between(500, 1_000));
    // Somebody's transaction holds up the log: the dump has records without a position.
    const holder = await old.session();
    await holder.query("begin");
    await holder.query("select pg_current_xact_id()");
    await sleep(stage.random.between(100, 300));
    const dumpMs = performance.now();
    await writeFile(files.roles, await run("pg_dumpall", ["--roles-only"], old));
    await run("pg_dump", ["-Fc", "-f", files.dump, "governance"], old);
    await holder.end();
    await sleep(stage.random.between(200, 500));
    await closeAccount(stage);
    await stage.stopLoad();
    const before = await facts(old);
    await old.kill("all");
    stage.injected();
    const lost = stage.lostSince(dumpMs);

    await stage.load();
    const successor = await restore(stage, files);
    const restored = await facts(successor);
    stage.takeOver(successor);
    await sleep(300);
    if ((await facts(successor)).records !== restored.records)
      stage.found("log", "the service wrote into a database that was restored before it was told to");
    const epoch = JSON.parse(await governance(stage, ["begin-epoch", "--json"]));
    await stage.stopLoad();
    await stage.recovered(10_000);
    const scrubs = JSON.parse(
      await governance(stage, ["scrub", "reapply", "--json", join(stage.replica.dataDir, "scrubs.jsonl")]),
    );

    if (scrubs.scrubbed !== 1)
      stage.found("lost", `a scrub was not applied again: ${JSON.stringify(scrubs)}`);
    const text = await run("pg_dump", ["--data-only", "governance"], successor);
    if (text.includes(wallet.slice(2))) stage.found("lost", "a wallet that was scrubbed is on record again");
    const after = await facts(successor);
    if (after.guards !== before.guards)
      stage.found(
        "altered",
        `triggers or rights are not what they were: ${difference(before.guards, after.guards)}`,
      );
    if (epoch.broughtAlong === 0) stage.found("log", "the dump had no record without a position");
    await checkReader(stage, `1:${before.last}`, epoch.previousPosition);
    stage.note(
      `${lost} calls of after the dump are lost, ${epoch.broughtAlong} records had no position; ids ${before.nextXid}, then ${restored.nextXid}`,
    );
  },
};

/** Records of the account that will be closed; their wallet is what the checker does not look at. */
async function openAccount(stage: Stage): Promise<void> {
  using connection = connect(stage.replica.grpcPort, await stage.replica.token("bot", "account"));
  for (let i = 0; i < 5; i++) {
    const content = { event_id: `account-${i}`, session_id: "account", action_type: "HALT" };
    const call = stage.history.sent({
      method: "RecordUserAction",
      id: content.event_id,
      content,
      orderKey: undefined,
      replica: stage.replica.name,
    });
    const request = { ...actionRequest(content), wallet, paramsJson: JSON.stringify({ of: wallet }) };
    await connection.call(UserActivityLedgerService.method.recordUserAction, request, 3_000);
    stage.history.answered(call, { kind: "acked", durability: "durable" });
  }
}

async function closeAccount(stage: Stage): Promise<void> {
  using operator = connect(stage.replica.grpcPort, await stage.replica.token("operator", "operator"));
  const value = { kind: { case: "boolValue", value: true } } as const;
  const change = { botId: "gov.useractivityledger", paramName: "scrub_on_account_close" };
  await operator.call(
    BotConfigService.method.updateBotConfig,
    { ...change, value, editorId: "operator" },
    3_000,
  );
  using account = connect(stage.replica.grpcPort, await stage.replica.token("account", "account"));
  const request = { eventId: "account-closed", wallet, sessionId: "account" };
  for (;;) {
    const { scrubbed } = await account.call(UserActivityLedgerService.method.closeAccount, request, 3_000);
    if (scrubbed) return;
    await sleep(50);
  }
}

/** The roles first, which are no part of a dump; then the database. */
async function restore(
  stage: Stage,
  files: { readonly roles: string; readonly dump: string },
): Promise<Victim> {
  const successor = await runVictim(join(stage.folder, "restored"), {}, (folder, settings) =>
    startDebian(folder, settings, true),
  );
  await run("psql", ["-q", "-d", "postgres", "-f", files.roles], successor);
  if (stage.random.chance(0.5)) {
    const burn = "do $$ begin for i in 1..20000 loop perform pg_current_xact_id(); commit; end loop; end $$";
    await run("psql", ["-q", "-d", "postgres", "-c", burn], successor);
  }
  await run("pg_restore", ["--create", "--exit-on-error", "-d", "postgres", files.dump], successor);
  await run("psql", ["-q", "-d", "governance", "-c", "analyze"], successor);
  return successor;
}

/** Runs the command against the database that is the service's now; answers what it prints. */
async function governance(stage: Stage, args: readonly string[]): Promise<string> {
  const env = {
    DATABASE_URL: stage.postgres.url("service"),
    DATABASE_ADMIN_URL: stage.postgres.url("admin"),
    GOVERNANCE_DATA_DIR: stage.replica.dataDir,
    GOVERNANCE_SCRUB_KEY_FILE: join(stage.folder, "record.key"),
  };
  const { exitCode, stdout, stderr } = await runCli(args, { env });
  if (exitCode !== 0) stage.found("recovery", `governance ${args[0]} ended with ${exitCode}: ${stderr}`);
  return stdout;
}

/** A reader that has more than the dump is told so, and where to go on. */
async function checkReader(stage: Stage, place: string, goOn: number): Promise<void> {
  const env = {
    GOVERNANCE_GRPC_ADDR: `127.0.0.1:${stage.replica.grpcPort}`,
    GOVERNANCE_DATA_DIR: stage.replica.dataDir,
  };
  const { exitCode, stderr } = await runCli(["tail", "--after", place], { env });
  if (exitCode !== 5 || !stderr.includes("LOG_EPOCH_CHANGED") || !stderr.includes(`(1:${goOn})`))
    stage.found("log", `a reader behind ${place} was told: ${exitCode} ${stderr}`);
}

/** What must be as it was: who may do what, and the triggers, of every table and function; and how far it has come. */
async function facts(postgres: Victim) {
  const [found] = await postgres.query<{ guards: string; records: string; last: string; nextXid: string }>(
    `select (
       select string_agg(line, e'\\n' order by line) from (
         select format('%s %s %s %s', c.oid::regclass, c.relkind, c.relowner::regrole, (select string_agg(a::text, ',' order by a::text) from unnest(c.relacl) a)) as line
           from pg_class c where c.relnamespace::regnamespace::text in ('ledger', 'auditor', 'log', 'access', 'maintenance', 'governance') and c.relkind in ('r', 'p', 'S')
         union all
         select format('%s %s %s %s', p.oid::regprocedure, p.proowner::regrole, p.prosecdef, (select string_agg(a::text, ',' order by a::text) from unnest(p.proacl) a)) || coalesce(p.proconfig::text, '')
           from pg_proc p where p.pronamespace::regnamespace::text in ('ledger', 'auditor', 'log', 'access', 'maintenance')
         union all
         select format('%s %s %s', t.tgrelid::regclass, t.tgname, t.tgenabled) from pg_trigger t where not t.tgisinternal
         union all
         select format('%s in %s', m.member::regrole, m.roleid::regrole) from pg_auth_members m
         union all
         select format('default %s %s', d.defaclrole::regrole, d.defaclacl) from pg_default_acl d
       ) as lines) as guards,
       (select count(*) from ledger.user_action) as records,
       (select next_position - 1 from log.state) as last,
       pg_snapshot_xmax(pg_current_snapshot())::text as "nextXid"`,
  );
  if (found === undefined) throw new Error("Postgres said nothing of itself");
  return found;
}

function difference(before: string, after: string): string {
  const [was, is] = [before.split("\n"), after.split("\n")];
  const gone = was.filter((line) => !is.includes(line)).map((line) => `- ${line}`);
  const come = is.filter((line) => !was.includes(line)).map((line) => `+ ${line}`);
  return [...gone, ...come].slice(0, 20).join("; ");
}
