import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Durability } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { check } from "./checker/check.ts";
import type { Finding, Judgement } from "./checker/findings.ts";
import { connect, failed } from "./load/connection.ts";
import { createHistory, type History, watchStalls } from "./load/history.ts";
import { balancedCrowd, type Crowd, type Load, startLoad, usualCrowd } from "./load/load.ts";
import { mountTmpfs } from "./parts/mounts.ts";
import { runVictim, type StartCluster, startVictim, type Victim } from "./parts/postgres.ts";
import { type Network, startNetwork } from "./parts/proxy.ts";
import type { Random } from "./parts/random.ts";
import { type Replica, startReplica } from "./parts/replica.ts";
import { watchStarvation } from "./parts/starvation.ts";

/** What a scenario needs that is not the usual: one replica, a Postgres with room, a crowd of 19 callers, of 13 behind a balancer. */
export type Setting = {
  readonly replicas?: number;
  /** All replicas stand behind one balancer; else each has a crowd of its own. */
  readonly isBalanced?: boolean;
  /** What the replicas are told beside the usual, e.g. how the administrator connects. */
  readonly settings?: (postgres: Victim) => Readonly<Record<string, string>>;
  readonly crowd?: Crowd;
  readonly postgresSettings?: Readonly<Record<string, string>>;
  /** Another Postgres than the embedded one, which the service migrates. */
  readonly startPostgres?: StartCluster;
  /** Mounts of a size of their own, in MiB. */
  readonly postgresDiskMiB?: number;
  readonly spoolDiskMiB?: number;
  /** The service runs under this command, and from the src/ of this folder. */
  readonly under?: (folder: string) => readonly string[];
  readonly root?: string;
};

/** Everything that takes part in a scenario. */
export type Stage = {
  readonly folder: string;
  /** The checkout whose service is run, for more of it; undefined: this one. */
  readonly root: string | undefined;
  /** The one that the service is connected to; another one after `takeOver`. */
  readonly postgres: Victim;
  /** The first replica's way to Postgres; each has one of its own. */
  readonly network: Network;
  readonly networks: readonly Network[];
  readonly replica: Replica;
  readonly replicas: readonly Replica[];
  readonly history: History;
  readonly random: Random;
  readonly crowd: Crowd;
  /** Calls from now on, until they are stopped or the scenario is judged. */
  load(crowd?: Crowd): Promise<Load>;
  stopLoad(): Promise<void>;
  /** From now on this is the service's Postgres, and the one that is judged. The stage disposes of it. */
  takeOver(successor: Victim): void;
  /** Counts a fault that was injected. */
  injected(): void;
  /** Something that the scenario itself saw and that must not be. */
  found(kind: Finding["kind"], text: string): void;
  /** So many records were destroyed on purpose, and the service has said that they are lost. */
  destroyed(records: number): void;
  /** What was acknowledged since then is lost with the database, as a backup of before is all that is left of it. Answers how much. */
  lostSince(fromMs: number): number;
  /** Something worth telling in the table. */
  note(text: string): void;
  /** Resolves once every replica records in Postgres again and no spool holds anything; a finding when it takes longer. */
  recovered(withinMs: number): Promise<void>;
};

export type Outcome = Judgement & { readonly faults: number; readonly notes: readonly string[] };

/** Sets the stage, plays, lets everything recover, and judges. */
export async function onStage(
  options: { readonly template: string; readonly random: Random; readonly setting: Setting },
  play: (stage: Stage) => Promise<void>,
): Promise<Outcome> {
  const { setting, random } = options;
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(await mkdtempDisposable(join(tmpdir(), "faults-"))).path;
  const database = join(folder, "database");
  if (setting.postgresDiskMiB !== undefined) parts.use(await mountTmpfs(database, setting.postgresDiskMiB));
  const { startPostgres, postgresSettings } = setting;
  let postgres = parts.use(
    startPostgres === undefined
      ? await startVictim(options.template, database, postgresSettings)
      : await runVictim(database, postgresSettings, startPostgres),
  );
  const { under, root } = setting;
  const placed = await Promise.all(
    Array.from({ length: setting.replicas ?? 1 }, async (_, i) => {
      const home = join(folder, `replica${i + 1}`);
      const spool = join(home, "data", "spool");
      if (setting.spoolDiskMiB !== undefined) parts.use(await mountTmpfs(spool, setting.spoolDiskMiB));
      const network = parts.use(await startNetwork(() => postgres.socket));
      const replica = await startReplica({
        name: `r${i + 1}`,
        folder: home,
        settings: {
          DATABASE_URL: network.through(postgres.url("service")),
          GOVERNANCE_SCRUB_KEY_FILE: join(folder, "record.key"),
          ...setting.settings?.(postgres),
        },
        ...(under === undefined ? {} : { under: under(home) }),
        ...(root === undefined ? {} : { root }),
      });
      return { network, replica: parts.use(replica) };
    }),
  );
  const networks = placed.map((each) => each.network);
  const replicas = placed.map((each) => each.replica);
  const [replica] = replicas;
  const [network] = networks;
  if (replica === undefined || network === undefined) throw new Error("a stage needs a replica");
  const stalls = parts.use(watchStalls());
  const starved = new Map(replicas.map((each) => [each.name, parts.use(watchStarvation(() => each.pid))]));
  const stalled = (name: string, fromMs: number, toMs: number) =>
    stalls.between(fromMs, toMs) + (starved.get(name)?.between(fromMs, toMs) ?? 0);
  const history = createHistory();
  const loads: Load[] = [];
  const own: Finding[] = [];
  const notes: string[] = [];
  let faults = 0;
  let destroyed = 0;

  const usual = setting.crowd ?? (setting.isBalanced ? balancedCrowd : usualCrowd);
  const onSilence = (name: string, text: string) => {
    // One that was away is no news.
    if (replicas.some((each) => each.name === name && wasAway(each))) return;
    own.push({ kind: "unanswered", text });
  };
  const stage: Stage = {
    folder,
    root: setting.root,
    get postgres() {
      return postgres;
    },
    network,
    networks,
    replica,
    replicas,
    history,
    random,
    crowd: usual,
    async load(crowd = usual) {
      const balanced = setting.isBalanced ? [replicas] : replicas.map((each) => [each]);
      const started = await Promise.all(
        balanced.map((each) => startLoad({ replicas: each, history, random, crowd, onSilence })),
      );
      const load = {
        async stop() {
          await Promise.all(started.map((each) => each.stop()));
        },
      };
      loads.push(load);
      return load;
    },
    async stopLoad() {
      for (let load = loads.pop(); load !== undefined; load = loads.pop()) await load.stop();
    },
    takeOver(successor) {
      postgres = parts.use(successor);
    },
    injected: () => {
      faults++;
    },
    found: (kind, text) => own.push({ kind, text }),
    destroyed: (records) => {
      destroyed += records;
    },
    lostSince(fromMs) {
      const lost = history.calls.filter(
        ({ answer, answeredMs }) => answer?.kind === "acked" && answeredMs >= fromMs,
      );
      for (const call of lost) call.answer = { kind: "not_recorded" };
      return lost.length;
    },
    note: (text) => notes.push(text),
    async recovered(withinMs) {
      const fromMs = performance.now();
      for (const each of replicas) {
        const problem = await untilRecovered(each, () => {
          const nowMs = performance.now();
          // A machine that has no core for it is no fault of the service, up to a point.
          const ownMs = nowMs - fromMs - stalled(each.name, fromMs, nowMs);
          return ownMs > withinMs || nowMs - fromMs > 4 * withinMs;
        });
        if (problem !== undefined)
          own.push({ kind: "recovery", text: `${each.name} after ${withinMs} ms: ${problem}` });
      }
    },
  };

  try {
    await play(stage);
    await stage.stopLoad();
  } catch (cause) {
    const log = await replica.logged().catch(() => "");
    throw new Error(
      `the scenario broke; the service said last: ${log.trimEnd().split("\n").slice(-3).join(" | ")}`,
      {
        cause,
      },
    );
  }
  await postgres.start();
  for (const each of networks) each.change({ kind: "fair" });
  await stage.recovered(20_000);
  const judgement = await check({
    url: postgres.url("superuser"),
    history,
    away: new Map(replicas.map(({ name, away }) => [name, away])),
    stalled,
    dataDirs: replicas.map(({ dataDir }) => dataDir),
  });
  for (const each of replicas) own.push(...(await defects(each)));
  const lost = judgement.findings.filter(({ kind }) => kind === "lost");
  const told =
    lost.length <= destroyed ? judgement.findings.filter(({ kind }) => kind !== "lost") : judgement.findings;
  return { ...judgement, findings: [...own, ...told], faults, notes };
}

/** Whether it was away in the time in which a stream waits before it gives up. */
function wasAway({ away }: Replica): boolean {
  return away.some(({ untilMs }) => performance.now() - untilMs < 10_000);
}

const durabilityNames = new Map(
  Object.entries(Durability).map(([name, value]): [number, string] => [value, name]),
);

let probes = 0;

/** undefined once it has; else what is still missing. */
async function untilRecovered(replica: Replica, isOver: () => boolean): Promise<string | undefined> {
  using connection = connect(replica.grpcPort, await replica.token("config-store", "probe"));
  for (;;) {
    const missing = await whatIsMissing();
    if (missing === undefined || isOver()) return missing;
    await sleep(25);
  }

  async function whatIsMissing(): Promise<string | undefined> {
    // Another parameter each time: one that waits in a spool keeps the next of its name waiting (R23).
    const paramName = `is_back_${++probes}`;
    const request = { botSlug: "risk.probe", paramName, newValueJson: "1", editorId: "probe" };
    const verdict = await connection.call(ParameterChangeAuditorService.method.checkWrite, request, 500).then(
      ({ durability }) => durabilityNames.get(durability) ?? "nothing",
      (cause: unknown) => failed(cause).message,
    );
    if (verdict !== "DURABLE") return `CheckWrite answers ${verdict}`;
    for (const bot of ["useractivityledger", "parameterchangeauditor"]) {
      const held = await replica.metric(`polytraders_gov_${bot}_buffer_size`).catch(() => undefined);
      if (held !== undefined && held > 0) return `${held} records are buffered`;
    }
    return undefined;
  }
}

/** What the service itself calls a defect: an error that it did not expect. */
async function defects(replica: Replica): Promise<readonly Finding[]> {
  const lines = (await replica.logged()).split("\n");
  const found = new Map<string, number>();
  for (const line of lines) {
    // An alarm names its reason; an error with its cause and stack is one that nobody expected.
    if (!/"level":(50|60)/.test(line) || !line.includes('"err":')) continue;
    const text = line.replace(/"(time|pid|hostname)":("[^"]*"|\d+),?/g, "").slice(0, 400);
    found.set(text, (found.get(text) ?? 0) + 1);
  }
  return [...found].map(([text, times]) => ({
    kind: "defect",
    text: `${replica.name} logged ${times}×: ${text}`,
  }));
}
