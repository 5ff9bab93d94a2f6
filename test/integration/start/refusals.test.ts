import { mkdir, mkdtempDisposable, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDataFolder } from "../../../src/dataFolder.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { makeCertificate } from "./certificate.ts";
import { start } from "./command.ts";

const parts = new AsyncDisposableStack();
let folder: string;
let database: TestDatabase;
let takenPort: number;
beforeAll(async () => {
  folder = parts.use(await mkdtempDisposable(join(tmpdir(), "governance-start-"))).path;
  database = parts.use(await createTestDatabase());
  const taken = parts.adopt(net.createServer(), (server) => void server.close());
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const address = taken.address();
  takenPort = typeof address === "object" && address !== null ? address.port : 0;
  await mkdir(join(folder, "held"));
  parts.use(await openDataFolder(join(folder, "held")));
});
afterAll(() => parts.disposeAsync());

const mine = makeCertificate({ name: "localhost" });
const other = makeCertificate({ name: "localhost" });

let count = 0;
async function file(text: string | Buffer): Promise<string> {
  const path = join(folder, `file-${++count}`);
  await writeFile(path, text);
  return path;
}

/** Starts with settings that are good but for the ones given, and waits for the refusal's one line. */
async function refusal(settings: Record<string, string>): Promise<string> {
  await using command = start({
    DATABASE_URL: database.url("service"),
    GOVERNANCE_DATA_DIR: join(folder, `data-${++count}`),
    GOVERNANCE_GRPC_ADDR: "127.0.0.1:0",
    GOVERNANCE_HTTP_ADDR: "127.0.0.1:0",
    GOVERNANCE_LOG_LEVEL: "fatal",
    GOVERNANCE_SCRUB_KEY_FILE: join(folder, "scrub.key"),
    ...settings,
  });
  const { code, stdout, stderr, seconds } = await command.ended;
  expect({ code, stdout, lines: stderr.split("\n").length }, stderr).toEqual({
    code: 1,
    stdout: "",
    lines: 2,
  });
  expect(seconds).toBeLessThan(20); // It takes one; the rest is for a busy machine.
  expect(stderr).toMatch(/^governance: .*\n$/);
  return stderr.trim().replace("governance: ", "");
}

/** [what is wrong, the settings, how the line begins] */
type Row = readonly [string, () => Record<string, string> | Promise<Record<string, string>>, RegExp];

/** Of each kind of mistake one; the others are tested where the settings are read. */
describe.concurrent("the start is refused with one line that names the setting:", () => {
  test.each<Row>([
    [
      "no address",
      () => ({ GOVERNANCE_GRPC_ADDR: "50051" }),
      /^GOVERNANCE_GRPC_ADDR: "50051" is not host:port/,
    ],
    [
      "an address that other machines reach, with the development key",
      () => ({ GOVERNANCE_HTTP_ADDR: "[::]:0" }),
      /^GOVERNANCE_HTTP_ADDR: \[::\]:0 can be reached from other machines.*development key/,
    ],
    [
      "gRPC on a port in use",
      () => ({ GOVERNANCE_GRPC_ADDR: `127.0.0.1:${takenPort}` }),
      /^GOVERNANCE_GRPC_ADDR: cannot listen on 127\.0\.0\.1:\d+: the address is in use/,
    ],
    [
      "HTTP on a port in use",
      () => ({ GOVERNANCE_HTTP_ADDR: `127.0.0.1:${takenPort}` }),
      /^GOVERNANCE_HTTP_ADDR: cannot listen on 127\.0\.0\.1:\d+: the address is in use/,
    ],
    [
      "an address of another machine",
      () => ({ ...keys(), GOVERNANCE_GRPC_ADDR: "192.0.2.1:0" }),
      /^GOVERNANCE_GRPC_ADDR: cannot listen on 192\.0\.2\.1:0/,
    ],
    [
      "a log level that is none",
      () => ({ GOVERNANCE_LOG_LEVEL: "loud" }),
      /^GOVERNANCE_LOG_LEVEL: "loud" is not one of/,
    ],
    [
      "a database that is no URL",
      () => ({ DATABASE_URL: "secret@localhost" }),
      /^DATABASE_URL: is not a URL like postgresql:(?!.*secret)/,
    ],
    [
      "a wrong password",
      () => ({ DATABASE_URL: withWrongPassword("service") }),
      /^DATABASE_URL: cannot connect \(28P01\): the password is wrong$/,
    ],
    [
      "a wrong password of the administrator",
      () => ({ DATABASE_ADMIN_URL: withWrongPassword("admin") }),
      /^DATABASE_ADMIN_URL: cannot connect \(28P01\): the password is wrong$/,
    ],
    [
      "a database that is not there",
      () => ({ DATABASE_URL: database.url("service").replace(database.name, "nowhere") }),
      /^DATABASE_URL: cannot connect \(3D000\): there is no such database$/,
    ],
    [
      "a data folder that is a file",
      async () => ({ GOVERNANCE_DATA_DIR: await file("") }),
      /^GOVERNANCE_DATA_DIR: .* cannot be used/,
    ],
    [
      "a data folder that nobody can make",
      () => ({ GOVERNANCE_DATA_DIR: "/proc/governance" }),
      /^GOVERNANCE_DATA_DIR: \/proc\/governance cannot be used/,
    ],
    [
      "a data folder in use",
      () => ({ GOVERNANCE_DATA_DIR: join(folder, "held") }),
      new RegExp(`^GOVERNANCE_DATA_DIR: .* is in use by another governance process \\(pid ${process.pid}\\)`),
    ],
    [
      "a scrub key that is none",
      async () => ({ GOVERNANCE_SCRUB_KEY_FILE: await file("short") }),
      /^GOVERNANCE_SCRUB_KEY_FILE: .* must hold 64 hexadecimal digits$/,
    ],
    [
      "a mistake in the config file",
      async () => ({ GOVERNANCE_CONFIG_FILE: await file("teirs: {}") }),
      /^GOVERNANCE_CONFIG_FILE: \S+: .*"teirs"/,
    ],
    [
      "a config file that is no YAML",
      async () => ({ GOVERNANCE_CONFIG_FILE: await file("tiers: [") }),
      /^GOVERNANCE_CONFIG_FILE: \S+: .* at line 1/,
    ],
    [
      "keys that are none",
      async () => ({ ...keys(), GOVERNANCE_JWKS: await file("{}") }),
      /^GOVERNANCE_JWKS: .* is not a JWK set/,
    ],
    [
      "a key of another certificate",
      async () => ({ GOVERNANCE_TLS_CERT: await file(mine.cert), GOVERNANCE_TLS_KEY: await file(other.key) }),
      /^GOVERNANCE_TLS_KEY: .* is not the key of the certificate/,
    ],
  ])("%s", async (_, settings, line) => {
    expect(await refusal(await settings())).toMatch(line);
  });
});

function keys(): Record<string, string> {
  return { GOVERNANCE_JWKS: "http://127.0.0.1:1/", GOVERNANCE_JWT_ISSUER: "i", GOVERNANCE_JWT_AUDIENCE: "a" };
}

function withWrongPassword(role: "service" | "admin"): string {
  return database.url(role).replace(/:[^:@]+@/, ":wrong@");
}
