import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../../src/config.ts";
import { StartupError } from "../../../src/startupError.ts";
import { makeCertificate } from "../../integration/start/certificate.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "governance-config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
function file(text: string): string {
  const path = join(folder, `file-${++count}`);
  writeFileSync(path, text);
  return path;
}

test("without any setting the defaults of the contract hold", () => {
  expect(loadConfig({})).toMatchObject({
    database: { kind: "embedded" },
    dataDir: resolve(".governance"),
    processes: 1,
    grpcAddress: { host: "127.0.0.1", port: 50_051 },
    httpAddress: { host: "127.0.0.1", port: 8080 },
    tls: undefined,
    auth: { kind: "development" },
    scrubKeyFile: undefined,
    logLevel: "info",
  });
});

test("an empty setting counts as none", () => {
  const empty = Object.fromEntries(
    [
      "DATABASE_URL",
      "DATABASE_ADMIN_URL",
      "GOVERNANCE_DATA_DIR",
      "GOVERNANCE_PROCESSES",
      "GOVERNANCE_GRPC_ADDR",
      "GOVERNANCE_HTTP_ADDR",
      "GOVERNANCE_TLS_CERT",
      "GOVERNANCE_TLS_KEY",
      "GOVERNANCE_TLS_CLIENT_CA",
      "GOVERNANCE_JWKS",
      "GOVERNANCE_JWT_ISSUER",
      "GOVERNANCE_JWT_AUDIENCE",
      "GOVERNANCE_SCRUB_KEY_FILE",
      "GOVERNANCE_CONFIG_FILE",
      "GOVERNANCE_LOG_LEVEL",
    ].map((name) => [name, ""]),
  );
  expect(loadConfig(empty)).toEqual(loadConfig({}));
});

test("every setting of the contract is read", () => {
  const { cert, key } = makeCertificate({ name: "localhost" });
  const ca = makeCertificate({ name: "callers" }).cert;
  const config = loadConfig({
    DATABASE_URL: "postgresql://service:secret@db:5432/governance",
    DATABASE_ADMIN_URL: "postgres://admin:secret@db:5432/governance",
    GOVERNANCE_DATA_DIR: "/var/lib/governance",
    GOVERNANCE_PROCESSES: "64",
    GOVERNANCE_GRPC_ADDR: "0.0.0.0:1",
    GOVERNANCE_HTTP_ADDR: "[::]:0",
    GOVERNANCE_TLS_CERT: file(cert),
    GOVERNANCE_TLS_KEY: file(key),
    GOVERNANCE_TLS_CLIENT_CA: file(ca),
    GOVERNANCE_JWKS: "https://issuer.example/keys",
    GOVERNANCE_JWT_ISSUER: "https://issuer.example",
    GOVERNANCE_JWT_AUDIENCE: "governance",
    GOVERNANCE_SCRUB_KEY_FILE: "/run/secrets/scrub",
    GOVERNANCE_CONFIG_FILE: file("tiers: { risk.a: P3 }"),
    GOVERNANCE_LOG_LEVEL: "debug",
    GOVERNANCE_BREAK_GLASS_MAX_MINUTES: "15",
  });
  expect(config).toMatchObject({
    database: {
      kind: "external",
      url: "postgresql://service:secret@db:5432/governance",
      adminUrl: "postgres://admin:secret@db:5432/governance",
    },
    dataDir: "/var/lib/governance",
    processes: 64,
    grpcAddress: { host: "0.0.0.0", port: 1 },
    httpAddress: { host: "[::]", port: 0 },
    auth: {
      kind: "jwks",
      jwks: "https://issuer.example/keys",
      issuer: "https://issuer.example",
      audience: "governance",
    },
    scrubKeyFile: "/run/secrets/scrub",
    file: { tiers: { "risk.a": "P3" } },
    logLevel: "debug",
    breakGlassMaxMinutes: 15,
  });
  expect(config.tls?.cert.toString()).toBe(cert);
  expect(config.tls?.key.toString()).toBe(key);
  expect(config.tls?.clientCa?.toString()).toBe(ca);
});

const keys = { GOVERNANCE_JWKS: "k", GOVERNANCE_JWT_ISSUER: "i", GOVERNANCE_JWT_AUDIENCE: "a" };
const mine = makeCertificate({ name: "localhost" });
const other = makeCertificate({ name: "localhost" });
const tls = () => ({ GOVERNANCE_TLS_CERT: file(mine.cert), GOVERNANCE_TLS_KEY: file(mine.key) });

describe("refused, with the setting's name and in one line:", () => {
  test.each<readonly [string, () => NodeJS.ProcessEnv, RegExp]>([
    [
      "no address",
      () => ({ GOVERNANCE_HTTP_ADDR: "8080" }),
      /^GOVERNANCE_HTTP_ADDR: "8080" is not host:port/,
    ],
    [
      "gRPC for other machines",
      () => ({ GOVERNANCE_GRPC_ADDR: "0.0.0.0:1" }),
      /^GOVERNANCE_GRPC_ADDR: 0\.0\.0\.0:1 can be reached/,
    ],
    [
      "HTTP for other machines",
      () => ({ GOVERNANCE_HTTP_ADDR: "10.0.0.1:1" }),
      /^GOVERNANCE_HTTP_ADDR: 10\.0\.0\.1:1 can be reached/,
    ],
    [
      "a log level that is none",
      () => ({ GOVERNANCE_LOG_LEVEL: "INFO" }),
      /^GOVERNANCE_LOG_LEVEL: "INFO" is not one of fatal, error/,
    ],
    [
      "break-glass for days",
      () => ({ GOVERNANCE_BREAK_GLASS_MAX_MINUTES: "1441" }),
      /^GOVERNANCE_BREAK_GLASS_MAX_MINUTES: "1441" is not a number from 1 to 1440/,
    ],
    [
      "break-glass for no whole number of minutes",
      () => ({ GOVERNANCE_BREAK_GLASS_MAX_MINUTES: "1h" }),
      /^GOVERNANCE_BREAK_GLASS_MAX_MINUTES: "1h" is not a number from 1 to 1440/,
    ],
    ...["0", "65", "2.5", "many"].map(
      (text) =>
        [
          `${text} processes`,
          () => ({ GOVERNANCE_PROCESSES: text }),
          new RegExp(`^GOVERNANCE_PROCESSES: "${text}" is not a number from 1 to 64$`),
        ] as const,
    ),
    [
      "a database that is no URL",
      () => ({ DATABASE_URL: "db:secret" }),
      /^DATABASE_URL: is not a URL(?!.*secret)/,
    ],
    [
      "a database of another kind",
      () => ({ DATABASE_URL: "mysql://a:secret@db/x" }),
      /^DATABASE_URL: is not a URL(?!.*secret)/,
    ],
    [
      "a database without a user",
      () => ({ DATABASE_URL: "postgresql://db/x" }),
      /^DATABASE_URL: names no user/,
    ],
    [
      "an administrator that is no URL",
      () => ({ DATABASE_URL: "postgresql://a@db/x", DATABASE_ADMIN_URL: "secret" }),
      /^DATABASE_ADMIN_URL: is not a URL(?!.*secret)/,
    ],
    [
      "an administrator alone",
      () => ({ DATABASE_ADMIN_URL: "postgresql://a@db/x" }),
      /^DATABASE_ADMIN_URL: is set without DATABASE_URL/,
    ],
    [
      "keys without an issuer",
      () => ({ ...keys, GOVERNANCE_JWT_ISSUER: "" }),
      /^GOVERNANCE_JWKS, .*: set all three/,
    ],
    [
      "keys without an audience",
      () => ({ ...keys, GOVERNANCE_JWT_AUDIENCE: "" }),
      /^GOVERNANCE_JWKS, .*: set all three/,
    ],
    [
      "an issuer without keys",
      () => ({ ...keys, GOVERNANCE_JWKS: "" }),
      /^GOVERNANCE_JWKS, .*: set all three/,
    ],
    [
      "a certificate without its key",
      () => ({ GOVERNANCE_TLS_CERT: "x" }),
      /^GOVERNANCE_TLS_CERT and GOVERNANCE_TLS_KEY: TLS needs both/,
    ],
    [
      "an authority without a certificate",
      () => ({ GOVERNANCE_TLS_CLIENT_CA: "x" }),
      /^GOVERNANCE_TLS_CERT and GOVERNANCE_TLS_KEY: TLS needs both/,
    ],
    [
      "a certificate that is not there",
      () => ({ ...tls(), GOVERNANCE_TLS_CERT: "none.pem" }),
      /^GOVERNANCE_TLS_CERT: none\.pem cannot be read/,
    ],
    [
      "a certificate that is none",
      () => ({ ...tls(), GOVERNANCE_TLS_CERT: file("x") }),
      /^GOVERNANCE_TLS_CERT: .* is not a certificate in PEM/,
    ],
    [
      "a key that is none",
      () => ({ ...tls(), GOVERNANCE_TLS_KEY: file(mine.cert) }),
      /^GOVERNANCE_TLS_KEY: .* is not a private key/,
    ],
    [
      "a key of another certificate",
      () => ({ ...tls(), GOVERNANCE_TLS_KEY: file(other.key) }),
      /^GOVERNANCE_TLS_KEY: .* is not the key of the certificate/,
    ],
    [
      "an authority that is none",
      () => ({ ...tls(), GOVERNANCE_TLS_CLIENT_CA: file("x") }),
      /^GOVERNANCE_TLS_CLIENT_CA: .* is not a certificate/,
    ],
    [
      "a config file that is not there",
      () => ({ GOVERNANCE_CONFIG_FILE: "none.yaml" }),
      /^GOVERNANCE_CONFIG_FILE: none\.yaml cannot be read/,
    ],
  ])("%s", (_, env, line) => {
    const load = () => loadConfig(env());
    expect(load).toThrow(StartupError);
    expect(load).toThrow(line);
    expect(load).not.toThrow(/\n/);
  });
});
