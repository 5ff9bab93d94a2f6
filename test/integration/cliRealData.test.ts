import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditorAs, ledgerAs } from "../support/callers.ts";
import { envOf, runCli } from "../support/cli.ts";
import { expectChainOver, expectTrailerToProve, parseExact, readExport } from "../support/exportReader.ts";
import { exactObject } from "../support/replaying.ts";
import { startTestService, type TestService } from "../support/service.ts";

/**
 * Real inputs that nobody here wrote, kept beside the project. Without them these tests have nothing to
 * say; where tests have to be complete (CI), their absence is a failure.
 */
const data = new URL("../../../shared/data/", import.meta.url);
const hasData = existsSync(data);

type Json = Record<string, unknown>;

/** Rows of a file, their numbers as they are spelt. Reads with nothing that the command reads with. */
function rowsOf(path: string | URL): Json[] {
  const bytes = readFileSync(path);
  const text = (String(path).endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map(exactObject);
}

/** The time in RFC 3339, UTC, with three digits of a second where they are not zero. */
function utc(time: unknown): string {
  return new Date(String(time)).toISOString().replace(".000Z", "Z");
}

/** What the ledger has to say of a CloudTrail event, by the words of the mapping alone. */
function expectedAction(event: Json): Json {
  const identity: Json = { ...(typeof event.userIdentity === "object" ? event.userIdentity : {}) };
  const { arn, principalId, type, invokedBy, accountId } = identity;
  const principal = String(arn ?? principalId ?? type ?? invokedBy ?? accountId);
  const words = String(event.eventName).match(/[A-Z]+(?![a-z])\d*[a-z]?\d*|[A-Z]?[a-z0-9]+/g) ?? [];
  return {
    event_id: event.eventID,
    wallet_address: `0x${createHash("sha256").update(principal).digest("hex").slice(0, 40)}`,
    session_id: `${principal}@${String(event.eventTime).slice(0, 10)}`,
    action_type: words.join("_").toUpperCase(),
    occurred_at: utc(event.eventTime),
    ...("requestParameters" in event ? { action_params: event.requestParameters } : {}),
  };
}

/** What the audit log has to say of a row. */
function expectedChange(row: Json, writeId: string): Json {
  const value = (text: unknown) => parseExact(String(text));
  const { old_value: before, new_value: after, ticket_ref: ticket } = row;
  return {
    write_id: writeId,
    audited_bot: row.bot_slug,
    param_name: row.param_name,
    editor_id: row.editor_id,
    claimed_changed_at: utc(row.changed_at),
    ...(typeof before === "string" ? { old_value: value(before) } : {}),
    ...(typeof after === "string" ? { new_value: value(after) } : {}),
    ...(typeof ticket === "string" ? { ticket_ref: ticket } : {}),
  };
}

/** The members that the sender decided; the service's own (times, ids, verdicts) are others' tests. */
const sentByClient = {
  actions: ["event_id", "wallet_address", "session_id", "action_type", "occurred_at", "action_params"],
  changes: [
    "write_id",
    "audited_bot",
    "param_name",
    "editor_id",
    "claimed_changed_at",
    "old_value",
    "new_value",
    "ticket_ref",
  ],
};

function pick(record: Json, keys: readonly string[]): Json {
  return Object.fromEntries(
    keys.filter((key) => Object.hasOwn(record, key)).map((key) => [key, record[key]]),
  );
}

/** Compares one by one: a difference in one of thousands is told as that one. */
function expectSame(records: Map<unknown, Json>, expected: Map<unknown, Json>): void {
  expect(records.size).toBe(expected.size);
  for (const [id, value] of expected) {
    const found = records.get(id);
    if (!isDeepStrictEqual(found, value)) expect(found, String(id)).toEqual(value);
  }
}

function byKey(records: readonly Json[], key: string, keys: readonly string[]): Map<unknown, Json> {
  const map = new Map(records.map((record) => [record[key], pick(record, keys)]));
  expect(map.size).toBe(records.length);
  return map;
}

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

async function replay(...paths: string[]): Promise<Json[]> {
  const run = await runCli(["replay", ...paths, "--json"], { env: envOf(service) });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  return JSON.parse(run.stdout).files;
}

/** Exports over the command into a file and over a client of our own: bytes and trailer have to agree. */
async function exported(kind: "actions" | "changes"): Promise<Json[]> {
  const output = join(service.dataDir, `${kind}.jsonl`);
  const changes = kind === "changes" ? ["--changes"] : [];
  const run = await runCli(["export", ...changes, "--output", output], { env: envOf(service) });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  const received = await readExport(
    kind === "changes"
      ? (await auditorAs(service, "compliance")).exportParameterChanges({})
      : (await ledgerAs(service, "compliance")).exportUserActions({}),
  );
  expectTrailerToProve(received);
  expectChainOver(received.lines, received.trailer);
  expect((await readFile(output)).equals(received.bytes)).toBe(true);
  return received.lines.map(exactObject);
}

function path(name: string): string {
  return new URL(name, data).pathname;
}

describe.skipIf(!hasData && !process.env.CI)("the real inputs", () => {
  test("every event and every change is on record once, value by value, digit for digit; again adds nothing", async () => {
    const trail = path("user-actions/cloudtrail.jsonl.gz");
    const changes = [path("parameter-changes/aave.jsonl.gz"), path("parameter-changes/cosmos.jsonl.gz")];
    const events = rowsOf(trail);
    const expectedChanges = changes.flatMap((file) =>
      rowsOf(file).map((row, i) => expectedChange(row, `${basename(file)}:${i + 1}`)),
    );

    expect(await replay(trail, ...changes)).toMatchObject([
      { kind: "user-actions", sent: 2900, recorded: 2900, duplicates: 0, refused: 0 },
      { kind: "parameter-changes", sent: 7000, recorded: 7000, duplicates: 0, refused: 0 },
      { kind: "parameter-changes", sent: 3000, recorded: 3000, duplicates: 0, refused: 0 },
    ]);
    const actions = await exported("actions");
    const recorded = await exported("changes");
    expect(actions).toHaveLength(new Set(events.map((event) => event.eventID)).size);
    expect(recorded).toHaveLength(10_000);
    const expectedActions = byKey(events.map(expectedAction), "event_id", sentByClient.actions);
    expectSame(byKey(actions, "event_id", sentByClient.actions), expectedActions);
    expectSame(
      byKey(recorded, "write_id", sentByClient.changes),
      byKey(expectedChanges, "write_id", sentByClient.changes),
    );
    for (const { action_type } of actions) expect(action_type).toMatch(/^[A-Z][A-Z0-9_]{0,63}$/);

    expect(await replay(trail, ...changes)).toMatchObject([
      { recorded: 0, duplicates: 2900, refused: 0 },
      { recorded: 0, duplicates: 7000, refused: 0 },
      { recorded: 0, duplicates: 3000, refused: 0 },
    ]);
    expect(await exported("actions")).toEqual(actions);
    expect(await exported("changes")).toHaveLength(10_000);
  }, 120_000);

  test("strings that break things come back as they went in, as keys and as values", async () => {
    const strings: unknown = JSON.parse(readFileSync(path("hostile/blns.json"), "utf8"));
    if (!Array.isArray(strings)) throw new Error("blns.json is not an array");
    expect(strings.length).toBeGreaterThan(500);
    await expectKept(
      "hostile",
      strings.map((text) => JSON.stringify({ [`field ${text}`]: text, [String(text)]: [text] })),
    );
  });
});

/** Replays each JSON object as an event's parameters and as the values of a change, and compares. */
async function expectKept(name: string, values: readonly string[]): Promise<void> {
  const events = values.map(
    (value, i) =>
      `{"eventID":"${name} ${i}","eventName":"Generated","eventTime":"2026-01-02T03:04:05Z","userIdentity":{"type":"${name}"},"requestParameters":${value}}`,
  );
  const changes = values.map((value, i) =>
    JSON.stringify({
      bot_slug: name,
      param_name: `p${i}`,
      old_value: value,
      new_value: `[${value}]`,
      editor_id: "ed",
      changed_at: "2026-01-02T03:04:05Z",
    }),
  );
  const files = [
    join(service.dataDir, `${name}-events.jsonl`),
    join(service.dataDir, `${name}-changes.jsonl`),
  ];
  await writeFile(files[0] ?? "", `${events.join("\n")}\n`);
  await writeFile(files[1] ?? "", `${changes.join("\n")}\n`);
  const counts = { recorded: values.length, duplicates: 0, refused: 0 };
  expect(await replay(...files)).toMatchObject([counts, counts]);

  const actions = (await exported("actions")).filter(({ event_id }) =>
    String(event_id).startsWith(`${name} `),
  );
  expectSame(
    byKey(actions, "event_id", sentByClient.actions),
    byKey(events.map(exactObject).map(expectedAction), "event_id", sentByClient.actions),
  );
  const recorded = (await exported("changes")).filter(({ audited_bot }) => audited_bot === name);
  const expected = changes.map((row, i) =>
    expectedChange(exactObject(row), `${name}-changes.jsonl:${i + 1}`),
  );
  expectSame(
    byKey(recorded, "write_id", sentByClient.changes),
    byKey(expected, "write_id", sentByClient.changes),
  );
}

/** What the real inputs lack: they hold long integers in strings alone. */
test("generated values come back digit for digit", async () => {
  const deep = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${"}".repeat(levels - 1)}`;
  const digits = (count: number, seed: string) =>
    createHash("sha512").update(seed).digest("hex").replace(/\D/g, "").repeat(20).slice(0, count);
  const numbers = [
    "9007199254740993",
    "-9007199254740993",
    "18446744073709551617",
    "-0",
    "-0.0",
    "0e5",
    "1.10",
    "1E+2",
    "1e-400",
    "1e400",
    "123456789012345678901234567890",
    ...Array.from({ length: 60 }, (_, i) => `1${digits(39, `whole ${i}`)}`),
    ...Array.from({ length: 60 }, (_, i) => `${i - 30}.${digits(40, `fraction ${i}`)}`),
  ];
  await expectKept("generated", [
    ...numbers.map((number) => `{"n":${number},"in":[${number},{"n":${number}}]}`),
    `{ "spaced" : [ 1 , 2.50 ] ,\t"x":"\\u00e9\\ud83d\\ude00\\/" }`,
    deep(31),
    `{"a":${"[".repeat(29)}1e0${"]".repeat(29)}}`,
    '{"__proto__":{"n":1.0},"constructor":null,"":""}',
  ]);
});
