import { join, resolve } from "node:path";

/** The project's root folder. */
export const root = resolve(import.meta.dirname, "../..");

/** Tools that come from npm. */
export const npmBin = join(root, "node_modules/.bin");

/** Tools that come from elsewhere; ignored by git, safe to delete. */
export const cache = join(root, ".cache/gen");
