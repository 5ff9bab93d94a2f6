import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/** A system call on a file of the spool, from strace's log. Times are seconds since 1970. */
export type FileCall = { readonly path: string; readonly beganAt: number; readonly endedAt: number } & (
  | { readonly kind: "write"; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: "truncate"; readonly size: number }
  | { readonly kind: "remove" }
  | { readonly kind: "sync" }
);

/** The options for strace that readFileCalls reads the log of. */
export function straceTo(log: string): readonly string[] {
  const calls = "pwrite64,write,fsync,fdatasync,ftruncate,unlink,unlinkat,rename,lseek";
  return [
    "strace",
    "-f",
    "-qq",
    "-ttt",
    "-T",
    "-xx",
    "-y",
    "-s",
    "1048576",
    "-e",
    `trace=${calls}`,
    "-o",
    log,
  ];
}

/** The calls on files below `folder`, in the order in which they ended. */
export async function readFileCalls(log: string, folder: string): Promise<readonly FileCall[]> {
  const calls: FileCall[] = [];
  const unfinished = new Map<string, { readonly beganAt: number; readonly text: string }>();
  for await (const line of createInterface({ input: createReadStream(log) })) {
    const match = /^(\d+) +(\d+\.\d+) (.*)$/.exec(line);
    const [, thread, time, rest] = match ?? [];
    if (thread === undefined || time === undefined || rest === undefined) continue;
    if (rest.endsWith("<unfinished ...>")) {
      unfinished.set(thread, {
        beganAt: Number(time),
        text: rest.slice(0, -"<unfinished ...>".length).trimEnd(),
      });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    const begun = resumed === undefined ? undefined : unfinished.get(thread);
    const text = begun === undefined ? rest : `${begun.text}${resumed}`;
    const beganAt = begun?.beganAt ?? Number(time);
    const took = Number(/<(\d+\.\d+)>$/.exec(text)?.[1] ?? 0);
    const call = parse(text, folder, { beganAt, endedAt: beganAt + took });
    if (call !== undefined) calls.push(call);
  }
  return calls.sort((a, b) => a.endedAt - b.endedAt);
}

function parse(
  text: string,
  folder: string,
  times: { readonly beganAt: number; readonly endedAt: number },
): FileCall | undefined {
  const name = /^\w+/.exec(text)?.[0];
  const result = Number(/\) = (-?\d+)/.exec(text)?.[1] ?? -1);
  if (name === undefined || result < 0) return undefined;
  if (name === "unlink" || name === "unlinkat") {
    const path = decoded(/"((?:\\x[0-9a-f]{2})+)"/.exec(text)?.[1] ?? "").toString();
    return path.startsWith(folder) ? { kind: "remove", path, ...times } : undefined;
  }
  const hexPath = /^\w+\(\d+<((?:\\x[0-9a-f]{2})+|[^>]*)>/.exec(text)?.[1];
  if (hexPath === undefined) return undefined;
  const path = hexPath.startsWith("\\x") ? decoded(hexPath).toString() : hexPath;
  if (!path.startsWith(folder)) return undefined;
  if (name === "fsync" || name === "fdatasync") return { kind: "sync", path, ...times };
  if (name === "ftruncate")
    return { kind: "truncate", path, size: Number(/, (\d+)\)/.exec(text)?.[1]), ...times };
  if (name !== "pwrite64") return undefined; // SQLite and the counts beside it write by place.
  const written = /"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?, \d+, (\d+)\)/.exec(text);
  if (written === null || written[2] !== undefined)
    throw new Error(`strace cut a write short: ${text.slice(0, 80)}`);
  const bytes = decoded(written[1] ?? "").subarray(0, result);
  return { kind: "write", path, offset: Number(written[3]), bytes, ...times };
}

function decoded(hex: string): Buffer {
  return Buffer.from(hex.replaceAll("\\x", ""), "hex");
}

/** What is on the disk after a power cut behind the first `count` calls: what was not fsynced is kept as `keeps` says. */
export function imageAfter(
  calls: readonly FileCall[],
  count: number,
  keeps: (call: FileCall) => boolean,
): ReadonlyMap<string, Buffer> {
  const synced = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const call = calls[i];
    if (call?.kind === "sync") synced.set(call.path, call.beganAt);
  }
  const files = new Map<string, GrowingFile>();
  for (let i = 0; i < count; i++) {
    const call = calls[i];
    if (call === undefined || call.kind === "sync") continue;
    const isDown = call.endedAt <= (synced.get(call.path) ?? 0);
    if (!isDown && !keeps(call)) continue;
    if (call.kind === "remove") {
      files.delete(call.path);
      continue;
    }
    const file = files.get(call.path) ?? { bytes: Buffer.alloc(1 << 16), size: 0 };
    files.set(call.path, file);
    if (call.kind === "truncate") {
      file.bytes.fill(0, Math.min(call.size, file.size));
      resize(file, call.size);
    } else {
      resize(file, Math.max(file.size, call.offset + call.bytes.length));
      call.bytes.copy(file.bytes, call.offset);
    }
  }
  return new Map([...files].map(([path, { bytes, size }]) => [path, bytes.subarray(0, size)]));
}

/** What lies behind size is zero. */
type GrowingFile = { bytes: Buffer; size: number };

function resize(file: GrowingFile, size: number): void {
  if (size > file.bytes.length) {
    const larger = Buffer.alloc(size * 2);
    file.bytes.copy(larger, 0, 0, file.size);
    file.bytes = larger;
  }
  file.size = size;
}
