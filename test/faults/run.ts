import { rmSync } from "node:fs";
import { mkdtemp, mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrokenBuild, breakBuild, brokenBuilds } from "./broken/builds.ts";
import { parseFlags, usage } from "./flags.ts";
import { makeTemplate } from "./parts/postgres.ts";
import { createRandom } from "./parts/random.ts";
import { checkout } from "./parts/replica.ts";
import { printFindings, printTable, type Row } from "./report.ts";
import { play, type Scenario } from "./scenario.ts";
import { scenarios } from "./scenarios/all.ts";
import { onStage } from "./stage.ts";

const parsed = parseFlags(process.argv.slice(2));
if (parsed.kind === "help") {
  console.log(usage);
  process.exit(parsed.problem === undefined ? 0 : 2);
}
const flags = parsed;
const unknown = flags.only.filter((name) => !scenarios.some((each) => each.name === name));
if (unknown.length > 0) {
  console.error(`there is no scenario ${unknown.join(", ")}; --list tells all`);
  process.exit(2);
}
if (flags.list) {
  for (const { name, fault } of scenarios) console.log(`${name.padEnd(24)} ${fault}`);
  process.exit(0);
}

process.setMaxListeners(0);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

const chosen = scenarios.filter(({ name }) => flags.only.length === 0 || flags.only.includes(name));
const startedMs = performance.now();
const rows: Row[] = [];
const folder = await mkdtemp(join(tmpdir(), "faults-template-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const root = flags.root ?? checkout;
const template = await makeTemplate(folder, root);

for (let seed = flags.seed; ; seed++) {
  if (!flags.checker) for (const scenario of chosen) tell(await played(scenario, seed));
  const minutes = (performance.now() - startedMs) / 60_000;
  if (flags.minutes === undefined || minutes >= flags.minutes) break;
}

if (flags.checker || flags.only.length === 0) {
  for (const build of brokenBuilds) tell(await caught(build));
}

if (flags.json)
  console.log(JSON.stringify(rows, (_, value) => (value instanceof Map ? Object.fromEntries(value) : value)));
else printTable(rows, (performance.now() - startedMs) / 1000);
process.exit(
  rows.some((row) => row.kind === "broken" || (row.kind === "played" && row.findings.length > 0)) ? 1 : 0,
);

/** Findings are told at once: a long run may be stopped. */
function tell(row: Row): void {
  rows.push(row);
  printFindings(row);
}

/** Whether the checker sees what is wrong with a build: the finding is then what was wanted, and nothing to report. */
async function caught(build: BrokenBuild): Promise<Row> {
  const name = `broken: ${build.name}`;
  const { seed } = flags;
  const scenario = scenarios.find((each) => each.name === build.scenario);
  if (scenario === undefined) return { kind: "broken", name, seed, cause: `there is no ${build.scenario}` };
  const why = await scenario.skip?.();
  if (why !== undefined) return { kind: "skipped", name, seed, why };
  await using copy = await mkdtempDisposable(join(tmpdir(), "faults-build-"));
  try {
    await breakBuild(build, root, copy.path);
  } catch (cause) {
    return { kind: "broken", name, seed, cause: told(cause) };
  }
  const row = await played({ ...scenario, name }, seed, copy.path);
  if (row.kind !== "played") return row;
  const found = row.findings.filter(({ kind }) => kind === build.finding).length;
  if (found > 0) return { ...row, findings: [], notes: [`caught: ${found} ${build.finding}`] };
  const text = `the checker found nothing ${build.finding} in a build that ${build.name}`;
  return { ...row, findings: [{ kind: "defect", text }] };
}

async function played(scenario: Scenario, seed: number, from = flags.root): Promise<Row> {
  const { name } = scenario;
  const why = await scenario.skip?.();
  if (why !== undefined) return { kind: "skipped", name, seed, why };
  const beganMs = performance.now();
  process.stderr.write(`${name} (seed ${seed}) … `);
  try {
    const random = createRandom(seed).fork(name);
    const setting = { ...scenario.setting, ...(from === undefined ? {} : { root: from }) };
    const rounds = flags.rounds ?? scenario.rounds;
    const outcome = await onStage({ template, random, setting }, (stage) =>
      play(scenario, stage, rounds, { holdMs: flags.holdMs }),
    );
    const seconds = (performance.now() - beganMs) / 1000;
    process.stderr.write(`${outcome.findings.length} findings, ${seconds.toFixed(1)} s\n`);
    return { kind: "played", name, seed, seconds, ...outcome };
  } catch (cause) {
    process.stderr.write("broke\n");
    return { kind: "broken", name, seed, cause: told(cause) };
  }
}

function told(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause === undefined ? "" : `\n    because: ${told(cause.cause)}`;
  return `${cause.stack ?? cause.message}${inner}`;
}
