import { createHmac, createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Metadata } from "@grpc/grpc-js";
import { UnsecuredJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { type StoppedClock, stoppedClock } from "../../support/clock.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { audience, goodClaims, issuer, makeKey } from "./issuer.ts";
import { callGrpc, callHttp, grpcClient, readJsonError } from "./raw.ts";
import { refused } from "./refusals.ts";

const path = `/${UserActivityLedgerService.typeName}/ListUserActions`;
const now = Date.parse("2026-05-09T12:00:00Z") / 1000;

const rsa = makeKey("RS256");
const ec = makeKey("ES256");
const stranger = makeKey("RS256");

let clock: StoppedClock;
let service: TestService;
let folder: Awaited<ReturnType<typeof mkdtempDisposable>>;
beforeAll(async () => {
  folder = await mkdtempDisposable(join(tmpdir(), "governance-keys-"));
  const file = join(folder.path, "keys.json");
  await writeFile(file, JSON.stringify({ keys: [rsa.jwk, ec.jwk] }));
  clock = stoppedClock("2026-05-09T12:00:00Z");
  service = await startTestService({
    clock,
    env: { GOVERNANCE_JWKS: file, GOVERNANCE_JWT_ISSUER: issuer, GOVERNANCE_JWT_AUDIENCE: audience },
  });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await folder.remove();
});

function reader(token: string) {
  return service.client(UserActivityLedgerService, token);
}

test.each([
  ["RSA", rsa],
  ["elliptic curve", ec],
])("a token signed with the set's %s key is taken", async (_, key) => {
  expect((await reader(await key.token()).listUserActions({})).actions).toEqual([]);
});

test("a role that this service does not know gives nothing and takes nothing", async () => {
  const token = await rsa.token({ roles: ["root", 7, "compliance"] });
  expect((await reader(token).listUserActions({})).actions).toEqual([]);
  expect(
    await refused(async () => reader(await rsa.token({ roles: ["root"] })).listUserActions({})),
  ).toMatchObject({
    code: "PermissionDenied",
    reason: "ROLE_NOT_ALLOWED",
  });
});

test.each([
  ["no roles", { roles: undefined }],
  ["roles that are no list", { roles: "compliance" }],
  ["an empty list of roles", { roles: [] }],
])("a token with %s may call nothing", async (_, claims) => {
  const refusal = await refused(async () => reader(await rsa.token(claims)).listUserActions({}));
  expect(refusal).toMatchObject({ code: "PermissionDenied", reason: "ROLE_NOT_ALLOWED" });
});

test("a user reads no other wallet than the token's", async () => {
  const own = "0xdeadbeef00000000000000000000000000000001";
  const other = "0xdeadbeef00000000000000000000000000000002";
  const user = reader(await rsa.token({ roles: ["user"], wallet: own }));
  expect((await user.listUserActions({ wallet: own.toUpperCase().replace("0X", "0x") })).actions).toEqual([]);
  expect(await refused(() => user.listUserActions({ wallet: other }))).toMatchObject({
    code: "PermissionDenied",
    reason: "WALLET_NOT_ALLOWED",
  });
});

test.each([
  ["no wallet", {}],
  ["a wallet that is none", { wallet: "0x12" }],
  ["a wallet that is no text", { wallet: ["0xdeadbeef00000000000000000000000000000001"] }],
])("a user whose token names %s reads nothing", async (_, claims) => {
  const refusal = await refused(async () =>
    reader(await rsa.token({ roles: ["user"], ...claims })).listUserActions({}),
  );
  expect(refusal).toMatchObject({ code: "PermissionDenied", reason: "WALLET_NOT_ALLOWED" });
});

/** A token whose parts are put together by hand. */
function forged(header: object, signature: (signed: string) => string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part(header)}.${part(goodClaims)}`;
  return `${signed}.${signature(signed)}`;
}

const publicPem = rsa.publicKey.export({ type: "spki", format: "pem" });
const hmac = (secret: string | Buffer) => (signed: string) =>
  createHmac("sha256", secret).update(signed).digest("base64url");

/** Values of the authorization header that nothing may be read with. */
const strangers: readonly (readonly [string, () => string | Promise<string>])[] = [
  ["is empty", () => ""],
  ["is not bearer", () => "Basic dXNlcjpwYXNzd29yZA=="],
  ["is bearer of nothing", () => "Bearer "],
  ["holds garbage", () => "Bearer garbage"],
  ["holds three parts of garbage", () => "Bearer e30.e30.e30"],
  ["holds a token twice", async () => `Bearer ${await rsa.token()} ${await rsa.token()}`],
  [
    "is signed with another key of the same name",
    async () => {
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      return `Bearer ${forged({ alg: "RS256", kid: rsa.kid }, (signed) => sign("sha256", Buffer.from(signed), privateKey).toString("base64url"))}`;
    },
  ],
  ["is signed with a key that the set does not have", async () => `Bearer ${await stranger.token()}`],
  ["has a changed signature", async () => `Bearer ${(await rsa.token()).replace(/.{8}$/, "AAAAAAAA")}`],
  [
    "has changed claims",
    async () => {
      const [header, , signature] = (await rsa.token({ roles: [] })).split(".");
      return `Bearer ${header}.${Buffer.from(JSON.stringify(goodClaims)).toString("base64url")}.${signature}`;
    },
  ],
  ["is not signed", () => `Bearer ${new UnsecuredJWT(goodClaims).encode()}`],
  ["says that it is not signed, in another spelling", () => `Bearer ${forged({ alg: "None" }, () => "")}`],
  [
    "is signed with the public key as a secret",
    () => `Bearer ${forged({ alg: "HS256", kid: rsa.kid }, hmac(publicPem))}`,
  ],
  [
    "is signed with the modulus as a secret",
    () => `Bearer ${forged({ alg: "HS256", kid: rsa.kid }, hmac(Buffer.from(rsa.jwk.n ?? "", "base64url")))}`,
  ],
  [
    "brings its own key along",
    () => {
      const { privateKey } = generateKeyPairSync("ed25519");
      const jwk = createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" })).export({
        format: "jwk",
      });
      return `Bearer ${forged({ alg: "EdDSA", jwk: { kty: "OKP", crv: "Ed25519", x: jwk.x } }, () => "AAAA")}`;
    },
  ],
  ["is not valid yet", async () => `Bearer ${await rsa.token({ nbf: now + 60 })}`],
  ["is of another issuer", async () => `Bearer ${await rsa.token({ iss: `${issuer}/` })}`],
  ["is of no issuer", async () => `Bearer ${await rsa.token({ iss: undefined })}`],
  ["is for another audience", async () => `Bearer ${await rsa.token({ aud: "billing" })}`],
  ["is for no audience", async () => `Bearer ${await rsa.token({ aud: undefined })}`],
  ["has no subject", async () => `Bearer ${await rsa.token({ sub: undefined })}`],
  ["has an empty subject", async () => `Bearer ${await rsa.token({ sub: "" })}`],
  ["has a subject that is too long", async () => `Bearer ${await rsa.token({ sub: "s".repeat(257) })}`],
  ["has a subject with NUL", async () => `Bearer ${await rsa.token({ sub: "a\0b" })}`],
  ["never expires", async () => `Bearer ${await rsa.token({ exp: undefined })}`],
];

describe("nothing is read when the authorization", () => {
  test.each(strangers)("%s", async (_, authorization) => {
    const value = await authorization();
    using client = grpcClient(service.grpcPort);
    const metadata = new Metadata();
    metadata.set("authorization", value);
    const overGrpc = await callGrpc(client, path, { metadata });
    expect(overGrpc).toMatchObject({ code: 16, reasons: ["TOKEN_INVALID"], messages: [] });
    expect(overGrpc.message).toMatch(/^TOKEN_INVALID: /);

    const overHttp = await callHttp(service.httpPort, path, {
      headers: { "content-type": "application/json", authorization: value },
      body: "{}",
    });
    expect(overHttp.status).toBe(401);
    expect(readJsonError(overHttp.body.toString())).toMatchObject({
      code: "unauthenticated",
      reasons: ["TOKEN_INVALID"],
      message: overGrpc.message,
    });
  });
});

test("an expired token is told from a bad one", async () => {
  const token = await rsa.token({ exp: now - 1 });
  const refusal = await refused(() => reader(token).listUserActions({}));
  expect(refusal).toMatchObject({ code: "Unauthenticated", reason: "TOKEN_EXPIRED" });
});

test("a token that is remembered stops working when it expires", async () => {
  const client = reader(await rsa.token({ exp: now + 60 }));
  expect((await client.listUserActions({})).actions).toEqual([]);
  clock.set("2026-05-09T12:00:59.999Z");
  expect((await client.listUserActions({})).actions).toEqual([]);
  clock.set("2026-05-09T12:01:00Z");
  expect(await refused(() => client.listUserActions({}))).toMatchObject({ reason: "TOKEN_EXPIRED" });
  clock.set("2026-05-09T12:00:00Z");
});

test("a token of the development key is refused where keys are configured", async () => {
  const token = await service.token({ roles: ["compliance"], ttlSeconds: 50 * 366 * 86_400 });
  expect(await refused(() => reader(token).listUserActions({}))).toMatchObject({ reason: "TOKEN_INVALID" });
});
