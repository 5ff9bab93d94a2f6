import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { join } from "node:path";
import { SignJWT } from "jose";
import { StartupError } from "../startupError.ts";
import { loadOrMakeKeyFile } from "./keyFile.ts";

/** What development tokens carry; a service with keys of its own never accepts them. */
export const developmentIssuer = "polytraders-governance-development";
export const developmentAudience = "polytraders-governance";

/** Where the development key of a data folder is, made or not. */
export function developmentKeyPath(dataDir: string): string {
  return join(dataDir, "development-token.key");
}

/**
 * The key pair that signs and checks tokens where none is configured; made in the data folder. Throws a
 * StartupError for a file that holds something else.
 */
export function loadDevelopmentKey(dataDir: string): {
  readonly signing: KeyObject;
  readonly checking: KeyObject;
} {
  const path = developmentKeyPath(dataDir);
  const pem = loadOrMakeKeyFile("GOVERNANCE_DATA_DIR", path, () =>
    generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  );
  const signing = readKey(pem);
  if (signing?.asymmetricKeyType !== "ed25519") {
    throw new StartupError(
      `GOVERNANCE_DATA_DIR: ${path} is no Ed25519 key in PEM; remove it, and a new one is made`,
    );
  }
  return { signing, checking: createPublicKey(signing) };
}

function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined; // Not a key at all: the caller says so.
  }
}

/** A token signed with the development key. */
export function developmentToken(
  signing: KeyObject,
  claims: { subject: string; roles: readonly string[]; wallet: string | undefined; ttlSeconds: number },
): Promise<string> {
  const { roles, wallet } = claims;
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ roles: [...roles], ...(wallet === undefined ? {} : { wallet }) })
    .setProtectedHeader({ alg: "EdDSA" })
    .setSubject(claims.subject)
    .setIssuer(developmentIssuer)
    .setAudience(developmentAudience)
    .setIssuedAt(now)
    .setExpirationTime(now + claims.ttlSeconds)
    .sign(signing);
}
