import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TlsOptions } from "node:tls";
import { StartupError } from "../startupError.ts";

/** PEM files, checked. With clientCa, only callers with a certificate of that authority are served. */
export type TlsFiles = {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clientCa: Buffer | undefined;
  /** Reads the same files again. Throws as loadTls does. */
  readonly readAgain: () => TlsFiles;
};

/**
 * The TLS settings; undefined when none is set. Throws a StartupError that names the setting for a file
 * that cannot be read or holds something else, and for a key of another certificate.
 */
export function loadTls(env: NodeJS.ProcessEnv): TlsFiles | undefined {
  const {
    GOVERNANCE_TLS_CERT: certPath,
    GOVERNANCE_TLS_KEY: keyPath,
    GOVERNANCE_TLS_CLIENT_CA: caPath,
  } = env;
  if (!certPath && !keyPath && !caPath) return undefined;
  if (!certPath || !keyPath)
    throw new StartupError("GOVERNANCE_TLS_CERT and GOVERNANCE_TLS_KEY: TLS needs both");
  return readTls(certPath, keyPath, caPath);
}

function readTls(certPath: string, keyPath: string, caPath: string | undefined): TlsFiles {
  const cert = readSetting("GOVERNANCE_TLS_CERT", certPath);
  const key = readSetting("GOVERNANCE_TLS_KEY", keyPath);
  const clientCa = caPath ? readSetting("GOVERNANCE_TLS_CLIENT_CA", caPath) : undefined;
  if (clientCa !== undefined) certificate("GOVERNANCE_TLS_CLIENT_CA", caPath, clientCa);
  if (!certificate("GOVERNANCE_TLS_CERT", certPath, cert).checkPrivateKey(privateKey(keyPath, key))) {
    throw new StartupError(`GOVERNANCE_TLS_KEY: ${keyPath} is not the key of the certificate in ${certPath}`);
  }
  const readAgain = () => readTls(certPath, keyPath, caPath);
  return { cert, key, clientCa, readAgain };
}

/** What either listener speaks at least. */
export const oldestTls = "TLSv1.2";

/** What a listener's TLS is made of: 1.2 and up, and with clientCa nobody without a certificate. */
export function secureOptions({ cert, key, clientCa }: TlsFiles): TlsOptions {
  return {
    cert,
    key,
    minVersion: oldestTls,
    ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
  };
}

function readSetting(setting: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw new StartupError(`${setting}: ${path} cannot be read`);
  }
}

function certificate(setting: string, path: string | undefined, pem: Buffer): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new StartupError(`${setting}: ${path} is not a certificate in PEM`);
  }
}

function privateKey(path: string, pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new StartupError(`GOVERNANCE_TLS_KEY: ${path} is not a private key in PEM without a passphrase`);
  }
}
