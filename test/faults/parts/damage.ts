import { existsSync } from "node:fs";
import { open, readdir, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import type { Random } from "./random.ts";

export type Damage = "bytes-flipped" | "file-cut" | "log-cut" | "file-gone";

/** Damages a spool whose service is down. What was done, in words. */
export async function damageSpool(spool: string, damage: Damage, random: Random): Promise<string> {
  const file = join(spool, "spool.db");
  const log = `${file}-wal`;
  // Nearly all of a young spool lies in its write-ahead log.
  const larger = existsSync(log) && (await stat(log)).size > (await stat(file)).size ? log : file;
  const { size } = await stat(larger);
  switch (damage) {
    case "bytes-flipped": {
      const at = random.between(Math.floor(size * 0.3), Math.floor(size * 0.8));
      const handle = await open(larger, "r+");
      const bytes = Buffer.alloc(Math.min(200, size - at));
      await handle.read(bytes, 0, bytes.length, at);
      for (let i = 0; i < bytes.length; i++) bytes.writeUInt8(bytes.readUInt8(i) ^ 0xff, i);
      await handle.write(bytes, 0, bytes.length, at);
      await handle.close();
      return `${bytes.length} bytes flipped at ${at} of ${size}`;
    }
    case "file-cut":
      await truncate(larger, Math.floor(size / 2));
      return `cut to half of ${size} bytes`;
    case "log-cut":
      await rm(log, { force: true });
      return "its write-ahead log removed";
    case "file-gone":
      for (const name of await readdir(spool)) {
        if (name.startsWith("spool.db")) await rm(join(spool, name), { force: true });
      }
      return "its files removed";
  }
}
