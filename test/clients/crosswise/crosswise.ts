// What Python, Go and TypeScript write through the service, each of them reads back equal, value by value: with today's
// generated code, with that of the released contract on today's service, and with today's on a service that knows the
// released contract alone, and on one that says more than today's contract. The examples run on these, too. Against a running service: GOVERNANCE_GRPC_ADDR,
// GOVERNANCE_TOKEN (role bot) and GOVERNANCE_COMPLIANCE_TOKEN. PYTHON is an interpreter that has the client's libraries.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempDisposableSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "../../../tools/generate/paths.ts";
import { type Cases, casesOf, type Value } from "./cases.ts";
import { fromTheFuture } from "./future.ts";
import { buildGo, contractOf, generateReleased, releasedContract } from "./generated.ts";
import { type Relay, startRelay } from "./relay.ts";

const languages = ["python", "go", "ts"] as const;
type Language = (typeof languages)[number];
type Program = { readonly command: readonly string[]; readonly env: NodeJS.ProcessEnv };
type Programs = Readonly<Record<Language, Program>>;

const each = (act: (language: Language) => Promise<unknown>) => Promise.all(languages.map(act));

const here = import.meta.dirname;
const address = setting("GOVERNANCE_GRPC_ADDR");
const bot = setting("GOVERNANCE_TOKEN");
const compliance = setting("GOVERNANCE_COMPLIANCE_TOKEN");
const python = process.env.PYTHON ?? "python3";

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: see the top of this file`);
  return value;
}

function programsOn(folder: string, tags: "today" | "released"): Programs {
  const path = [join(folder, "gen/python"), join(root, "clients/python/src")].join(":");
  const env = { PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: "1", GENERATED: join(folder, "gen/ts") };
  return {
    python: { command: [python, join(here, "records.py")], env },
    go: { command: [buildGo(join(here, "go"), folder, tags)], env },
    ts: { command: [process.execPath, join(here, "records.ts")], env },
  };
}

async function start(program: Program, env: NodeJS.ProcessEnv, ...args: string[]) {
  const [command = "", ...before] = program.command;
  const child = spawn(command, [...before, ...args], {
    env: { ...process.env, ...program.env, GOVERNANCE_GRPC_ADDR: address, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [said, complained, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  return { said, complained, code };
}

async function succeed(program: Program, env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  const { said, complained, code } = await start(program, env, ...args);
  assert.equal(code, 0, `${program.command.join(" ")} ${args[0]}: ${complained}${said}`);
  return said;
}

/** A number by its sign, digits and exponent, members in order: as records.* show them. */
function canonical(value: Value, isShown: boolean): Value {
  if ("o" in value) {
    const members = value.o.map(([key, member]) => [key, canonical(member, isShown)] as const);
    return { o: members.sort(([one], [other]) => (one < other ? -1 : 1)) };
  }
  if ("a" in value) return { a: value.a.map((member) => canonical(member, isShown)) };
  if (!("n" in value) || isShown) return value;
  const [mantissa = "", power = "0"] = value.n.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.replace("-", "").split(".");
  const digits = BigInt(whole + fraction);
  return { n: `${mantissa.startsWith("-") ? "-" : ""}${digits}e${Number(power) - fraction.length}` };
}

function isValue(shown: unknown): shown is Value {
  return typeof shown === "object" && shown !== null && !Array.isArray(shown);
}

function sorted(shown: unknown): unknown {
  if (Array.isArray(shown)) return shown.map(sorted);
  return isValue(shown) ? canonical(shown, true) : shown;
}

/** What is to be read, by writer, kind and name. */
function expectedOf(cases: Cases, kinds: ReadonlySet<string>): Map<string, unknown> {
  const expected = new Map<string, unknown>();
  for (const writer of cases.writers) {
    const expect = (kind: string, name: string, shown: unknown) => {
      if (kinds.has(kind)) expected.set(`${writer} ${kind} ${name}`, shown);
    };
    for (const { name, value } of cases.values) {
      const params = canonical({ o: [["v", value]] }, false);
      expect("action", name, [cases.wallet, cases.at, params]);
      expect("exported", name, params);
      const list = canonical({ a: [value] }, false);
      expect("change", name, [cases.editor, canonical(value, false), list]);
      expect("in force", name, list);
    }
    for (const { name, fields, raw } of cases.fills) {
      const texts = cases.fillFields.map((field) => fields[field]);
      expect("fill", name, [texts, cases.wallet, cases.at, canonical(raw, false)]);
    }
  }
  return expected;
}

function found(said: string): Map<string, unknown> {
  const all = new Map<string, unknown>();
  for (const line of said.split("\n")) {
    if (line === "") continue;
    const one: unknown = JSON.parse(line);
    assert(Array.isArray(one));
    const [writer, kind, name, shown] = one;
    all.set(`${writer} ${kind} ${name}`, sorted(shown));
  }
  return all;
}

function assertEqual(
  who: string,
  read: ReadonlyMap<string, unknown>,
  expected: ReadonlyMap<string, unknown>,
): void {
  for (const [key, shown] of expected) assert.deepEqual(read.get(key), shown, `${who} reads ${key}`);
  assert.deepEqual([...read.keys()].sort(), [...expected.keys()].sort(), `${who} reads something else, too`);
}

const everything = new Set(["action", "exported", "change", "in force", "fill"]);
const released = new Set(["action", "exported", "change", "in force"]);

function write(folder: string, cases: Cases): string {
  const file = join(folder, `${cases.run}.json`);
  writeFileSync(file, JSON.stringify(cases));
  return file;
}

/** Each language writes, then each reads what all have written. */
async function together(
  what: string,
  folder: string,
  writers: Programs,
  readers: Programs,
  kinds: Set<string>,
) {
  const cases = casesOf(randomUUID(), languages);
  const file = write(folder, cases);
  await each((language) => succeed(writers[language], { GOVERNANCE_TOKEN: bot }, "write", file, language));
  const expected = expectedOf(cases, kinds);
  await each(async (language) => {
    const read = () => succeed(readers[language], { GOVERNANCE_TOKEN: compliance }, "read", file);
    let all = found(await read());
    // What a busy service only buffered is not on record yet.
    for (let turn = 0; turn < 20 && all.size < expected.size; turn++) {
      await sleep(500);
      all = found(await read());
    }
    assertEqual(`${language}, ${what},`, all, expected);
  });
  console.log(`${what}: ${languages.join(", ")} each read ${expected.size} values of all three`);
}

/** Today's clients on a service that is older or newer than they are. */
async function elsewhere(what: string, folder: string, programs: Programs, relay: Relay, kinds: Set<string>) {
  const env = { GOVERNANCE_GRPC_ADDR: relay.address };
  const bots = examples(folder);
  await each(async (language) => {
    const cases = casesOf(randomUUID(), [language]);
    const file = write(folder, cases);
    await succeed(programs[language], { ...env, GOVERNANCE_TOKEN: bot }, "write", file, language);
    const reading = { ...env, GOVERNANCE_TOKEN: compliance };
    const { said, complained, code } = await start(programs[language], reading, "read", file);
    assertEqual(`${language}, ${what},`, found(said), expectedOf(cases, kinds));
    // ListFills is younger than the released contract.
    const isTold = code !== 0 && /unimplemented/i.test(complained);
    assert(kinds.has("fill") ? code === 0 : isTold, `${language}, ${what}: ${complained}`);
    const told = await succeed(bots[language], { ...env, GOVERNANCE_TOKEN: bot });
    assert.match(told, /on record/, `the example in ${language}, ${what}: ${told}`);
  });
  relay.close();
  console.log(`${what}: today's generated clients and the examples' bots work with it`);
}

function examples(folder: string): Readonly<Record<Language, Program>> {
  const clients = join(root, "clients");
  const path = [join(root, "gen/python"), join(clients, "python/src")].join(":");
  return {
    python: {
      command: [python, join(clients, "python/examples/bot.py"), join(folder, "spool")],
      env: { PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: "1" },
    },
    go: { command: ["go", "-C", join(clients, "go"), "run", "./examples/bot"], env: {} },
    ts: {
      command: [process.execPath, "--import", join(here, "asSource.ts"), join(clients, "ts/examples/bot.ts")],
      env: {},
    },
  };
}

using work = mkdtempDisposableSync(join(tmpdir(), "governance-crosswise-"));
const [now, then] = ["today", "released"].map((name) => join(work.path, name));
assert(now !== undefined && then !== undefined);
for (const folder of [now, then]) mkdirSync(folder);
symlinkSync(join(root, "gen"), join(now, "gen"));
generateReleased(then);

const today = programsOn(now, "today");
const old = programsOn(then, "released");
await together("today's clients", now, today, today, everything);
await together("clients of the released contract", then, old, old, released);
await elsewhere("an older service", now, today, await startRelay(releasedContract(), address), released);
const newer = await startRelay(contractOf(join(root, "proto")), address, fromTheFuture);
await elsewhere("a newer service", now, today, newer, everything);
