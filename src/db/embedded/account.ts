import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, readFile, stat } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { StartupError } from "../../startupError.ts";
import { listFolder } from "./cluster.ts";

type Owner = { readonly uid: number; readonly gid: number };

/** A program to start, as the account that Postgres is to run under. */
export type Command = {
  readonly file: string;
  readonly args: readonly string[];
  readonly credentials: Partial<Owner>;
};

/** The account that Postgres runs under. */
export type Account = {
  /** Whom to hand new folders of Postgres; undefined: they are this process's own. */
  readonly owner: Owner | undefined;
  command(file: string, args: readonly string[]): Command;
};

/**
 * Chooses the account: our own, but root may not run Postgres, so root runs it as the owner of the cluster, or as
 * `nobody` if there is none yet. `paths` are what Postgres must get to. Throws StartupError.
 */
export async function chooseAccount(
  dataDir: string,
  program: string,
  paths: readonly string[],
): Promise<Account> {
  if (process.getuid?.() !== 0) {
    return { owner: undefined, command: (file, args) => ({ file, args, credentials: {} }) };
  }
  if (process.platform !== "linux") {
    throw new StartupError(
      "the embedded Postgres does not run as root here; start as a normal user, or set DATABASE_URL",
    );
  }
  const owner = (await clusterOwner(dataDir)) ?? (await nobody());
  const blocked = await firstBlocked(owner, [dirname(program), ...paths]);
  if (blocked === undefined && (await allows(owner, program))) {
    return { owner, command: (file, args) => ({ file, args, credentials: owner }) };
  }
  return privileged(owner, program, blocked ?? program);
}

/** Our folders are closed to other users, and so may be those above: setpriv lets that uid pass through them. */
async function privileged(owner: Owner, program: string, blocked: string): Promise<Account> {
  const setpriv = await findOnPath("setpriv");
  const capability = await passingCapability(owner, program);
  if (setpriv === undefined || capability === undefined) {
    const lack =
      setpriv === undefined ? "setpriv (util-linux) is not installed" : "root lacks CAP_DAC_OVERRIDE";
    throw new StartupError(
      `Postgres may not run as root, and uid ${owner.uid} cannot get to ${blocked} (${lack}); ` +
        "open that folder to other users (chmod o+x), choose another GOVERNANCE_DATA_DIR, or start as a normal user",
    );
  }
  const options = [
    `--reuid=${owner.uid}`,
    `--regid=${owner.gid}`,
    "--clear-groups",
    // Else access(2), with which Postgres looks for its own files, does not count the capability.
    "--securebits=+no_setuid_fixup",
    `--inh-caps=+${capability}`,
    `--ambient-caps=+${capability}`,
    "--",
  ];
  return {
    owner,
    command: (file, args) => ({ file: setpriv, args: [...options, file, ...args], credentials: {} }),
  };
}

/** The least capability that opens the way, of those root has here: Docker's default has no dac_read_search. */
async function passingCapability(owner: Owner, program: string): Promise<string | undefined> {
  const status = await readFile("/proc/self/status", "utf8");
  const held = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  const has = (bit: bigint) => (held & (1n << bit)) !== 0n;
  const [dacOverride, dacReadSearch] = [1n, 2n];
  // Reading and passing is not yet executing, which matters if the package was installed with umask 077.
  if (has(dacReadSearch) && (await allows(owner, program))) return "dac_read_search";
  return has(dacOverride) ? "dac_override" : undefined;
}

async function clusterOwner(dataDir: string): Promise<Owner | undefined> {
  if ((await listFolder(dataDir)).length === 0) return undefined;
  const { uid, gid } = await stat(dataDir);
  if (uid !== 0) return { uid, gid };
  const { uid: nobodyUid, gid: nobodyGid } = await nobody();
  throw new StartupError(
    `${dataDir} belongs to root, as which Postgres may not run; run chown -R ${nobodyUid}:${nobodyGid} on it`,
  );
}

/** Postgres insists on an account with a name; this one is everywhere. */
async function nobody(): Promise<Owner> {
  const passwd = await readFile("/etc/passwd", "utf8").catch(() => "");
  const [, , uid, gid] = /^nobody:.*$/m.exec(passwd)?.[0].split(":") ?? [];
  if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  try {
    // A directory service may know it.
    const [asked, group] = await Promise.all(
      ["-u", "-g"].map((flag) => promisify(execFile)("id", [flag, "nobody"])),
    );
    return { uid: Number(asked?.stdout), gid: Number(group?.stdout) };
  } catch (cause) {
    throw new StartupError(
      "Postgres may not run as root, and there is no user `nobody` to run it as; start as a normal user, or set DATABASE_URL",
      { cause },
    );
  }
}

async function firstBlocked(owner: Owner, paths: readonly string[]): Promise<string | undefined> {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let folder = path; ; folder = dirname(folder)) {
      folders.add(folder);
      if (folder === dirname(folder)) break;
    }
  }
  // From the root down, so that the message names the folder to open.
  for (const folder of [...folders].sort()) {
    if (!(await allows(owner, folder))) return folder;
  }
  return undefined;
}

/** Whether the mode bits let `owner` execute the file or pass the folder. */
async function allows(owner: Owner, path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return false;
  const { mode, uid, gid } = found;
  const bit =
    uid === owner.uid ? constants.S_IXUSR : gid === owner.gid ? constants.S_IXGRP : constants.S_IXOTH;
  return (mode & bit) !== 0;
}

async function findOnPath(name: string): Promise<string | undefined> {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/bin", "/bin"];
  for (const folder of folders.filter((each) => each.startsWith("/"))) {
    const file = join(folder, name);
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return undefined;
}
