import { createHmac, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { join } from "node:path";
import { StartupError } from "../startupError.ts";
import { loadOrMakeKeyFile } from "./keyFile.ts";

/**
 * The key behind content hashes, tokens of readers and scrubbed wallets (R11): 32 bytes, hexadecimal.
 * All replicas of one database need the same one.
 */
export function loadRecordKey(file: string | undefined, dataDir: string): KeyObject {
  const path = file ?? join(dataDir, "scrub.key");
  const text = loadOrMakeKeyFile(
    "GOVERNANCE_SCRUB_KEY_FILE",
    path,
    () => `${randomBytes(32).toString("hex")}\n`,
  ).trim();
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    throw new StartupError(`GOVERNANCE_SCRUB_KEY_FILE: ${path} must hold 64 hexadecimal digits`);
  }
  return createSecretKey(text, "hex");
}

/** Names the key without giving it away: 16 hexadecimal digits. */
export function recordKeyId(key: KeyObject): string {
  return createHmac("sha256", key).update("governance record key").digest("hex").slice(0, 16);
}
