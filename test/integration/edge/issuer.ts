import { generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import http from "node:http";
import { type JWK, type JWTPayload, SignJWT } from "jose";

export const issuer = "https://issuer.example";
export const audience = "governance";

/** One key of an issuer, and tokens signed with it. */
export type SigningKey = {
  readonly kid: string;
  readonly publicKey: KeyObject;
  readonly jwk: JWK;
  /** A token good in every way but for what the claims say otherwise; undefined leaves a claim out. */
  token(claims?: Record<string, unknown>): Promise<string>;
};

/** Good from 2020 to 2100 unless the claims say otherwise. */
export const goodClaims: JWTPayload = {
  iss: issuer,
  aud: audience,
  sub: "tester",
  roles: ["compliance"],
  iat: 1_577_836_800,
  exp: 4_102_444_800,
};

export function makeKey(alg: "RS256" | "ES256" | "EdDSA"): SigningKey {
  const { publicKey, privateKey } =
    alg === "RS256"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : alg === "ES256"
        ? generateKeyPairSync("ec", { namedCurve: "P-256" })
        : generateKeyPairSync("ed25519");
  const kid = randomUUID();
  return {
    kid,
    publicKey,
    jwk: { ...publicKey.export({ format: "jwk" }), kid, alg, use: "sig" },
    token: (claims = {}) =>
      new SignJWT({ ...goodClaims, ...claims }).setProtectedHeader({ alg, kid }).sign(privateKey),
  };
}

/** A real server of a key set, which can be told to fail. */
export type KeyServer = AsyncDisposable & {
  readonly url: string;
  /** How often it was asked. */
  readonly asked: number;
  serve(keys: readonly SigningKey[]): void;
  fail(how: "status" | "no json" | "silence"): void;
};

export async function startKeyServer(): Promise<KeyServer> {
  let asked = 0;
  let answer: (response: http.ServerResponse) => void = (response) => response.writeHead(503).end();
  const server = http.createServer((_, response) => {
    asked++;
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return {
    url: `http://127.0.0.1:${address.port}/keys`,
    get asked() {
      return asked;
    },
    serve(keys) {
      answer = (response) => response.end(JSON.stringify({ keys: keys.map((key) => key.jwk) }));
    },
    fail(how) {
      answer = (response) => {
        if (how === "status") response.writeHead(503).end();
        if (how === "no json") response.end("<html>");
      };
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
