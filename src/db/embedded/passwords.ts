import { randomBytes } from "node:crypto";
import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { StartupError } from "../../startupError.ts";
import { syncFolder } from "./syncFolder.ts";

const Passwords = z.strictObject({ superuser: z.string(), admin: z.string(), service: z.string() });

/** Passwords of the cluster's login roles; only characters that need no quoting. */
export type Passwords = z.infer<typeof Passwords>;

/** Reads the passwords of an existing cluster. Throws StartupError. */
export async function readPasswords(file: string, dataDir: string): Promise<Passwords> {
  try {
    return Passwords.parse(JSON.parse(await readFile(file, "utf8")));
  } catch (cause) {
    const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    // The cause may quote the file: it stays out of the message.
    throw new StartupError(
      `${file}, with the passwords of the Postgres in ${dataDir}, is ${missing ? "missing" : "not readable as such"}; put it back from a backup of the folder`,
      { cause: missing ? cause : undefined },
    );
  }
}

/** Makes passwords for a new cluster, and keeps them (0600, on disk when this resolves) before any cluster knows them. */
export async function makePasswords(file: string): Promise<Passwords> {
  const secret = () => randomBytes(24).toString("base64url");
  const passwords = { superuser: secret(), admin: secret(), service: secret() };
  const temporary = `${file}.new`;
  const handle = await open(temporary, "w", 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(passwords, undefined, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  await syncFolder(dirname(file));
  return passwords;
}
