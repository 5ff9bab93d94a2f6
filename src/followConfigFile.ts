import { readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { type LoadedFile, parseConfigFile } from "./configFile.ts";
import { sqlState } from "./db/pool.ts";

/** Larger than any policy; a file by mistake is not read whole. */
const maxBytes = 4 * 1024 * 1024;

/** What came of a file that has no mistake in itself. */
export type Adopted =
  /** `changed`: what it says is not what was in force. */
  | {
      readonly kind: "in_force";
      readonly changed: boolean;
      readonly policyVersion: string;
      readonly mode: "shadow_only" | "enforce";
    }
  | { readonly kind: "refused"; readonly problem: string };

export type FollowedFile = AsyncDisposable & {
  /** Reads it now, changed or not. */
  reload(): Promise<void>;
};

/**
 * Takes the config file over when it changes; one with a mistake is refused whole, and said once. It is
 * looked at, as network file systems tell of no changes and editors put a new file in its place; and taken
 * once it was the same for two looks, as half a file can be one without a mistake. Disposing stops it.
 */
export function followConfigFile(options: {
  readonly path: string;
  readonly everyMs: number;
  /** Puts it in force as a whole, or refuses it and changes nothing. */
  readonly adopt: (loaded: LoadedFile) => Adopted;
  /** What remains to be done where it is in force; when it throws it is called again at the next look. */
  readonly settle: () => Promise<void>;
  readonly onState: (isOk: boolean) => void;
  readonly log: Logger;
}): FollowedFile {
  const { path, log } = options;
  const closing = new AbortController();
  let lastSeen: string | undefined;
  let lastRead: string | undefined;
  let isOk = true;
  let isSettled = true;
  let turn = Promise.resolve();

  async function look(isAsked: boolean): Promise<void> {
    const seen = await signatureOf(path);
    const stoodStill = seen === lastSeen;
    lastSeen = seen;
    if (isAsked || (stoodStill && seen !== lastRead)) {
      const read = await readText(path);
      if (!isAsked && (await signatureOf(path)) !== seen) return;
      lastRead = seen;
      take(read, isAsked);
    }
    if (!isSettled) await settle();
  }

  async function settle(): Promise<void> {
    try {
      await options.settle();
      isSettled = true;
    } catch (cause) {
      log.debug({ err: cause }, "what the config file says could not be noted; it is tried again");
    }
  }

  function take(read: Read, isAsked: boolean): void {
    const adopted = read.kind === "text" ? adoptText(read.text) : read;
    if (adopted.kind === "refused") {
      log.error({ path, problem: adopted.problem }, "the config file is refused; what was in force stays");
    } else if (adopted.changed || !isOk || isAsked) {
      const { changed, policyVersion, mode } = adopted;
      log.info({ path, changed, policyVersion, mode }, "the config file is in force");
    }
    isOk = adopted.kind === "in_force";
    if (adopted.kind === "in_force" && adopted.changed) isSettled = false;
    options.onState(isOk);
  }

  function adoptText(text: string): Adopted {
    // A disk that is full leaves empty files, and the defaults enforce nothing.
    if (text.trim() === "") return refused("is empty; write {} for the defaults");
    const parsed = parseConfigFile(text);
    return parsed.kind === "ok" ? options.adopt(parsed.loaded) : refused(parsed.problems[0]);
  }

  /** One look at a time, whoever asks for it. */
  function inTurn(isAsked: boolean): Promise<void> {
    turn = turn
      .then(() => look(isAsked))
      .catch((cause: unknown) => log.warn({ err: cause }, "the config file could not be followed"));
    return turn;
  }

  async function run(): Promise<void> {
    for (;;) {
      await sleep(options.everyMs, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
      if (closing.signal.aborted) return;
      await inTurn(false);
    }
  }

  const running = run();
  return {
    reload: () => inTurn(true),
    async [Symbol.asyncDispose]() {
      closing.abort();
      await running;
      await turn;
    },
  };
}

type Read = { readonly kind: "text"; readonly text: string } | Extract<Adopted, { kind: "refused" }>;

function refused(problem: string): Extract<Adopted, { kind: "refused" }> {
  return { kind: "refused", problem };
}

/** What differs when the file was written to or another one was put in its place. */
async function signatureOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (cause) {
    return sqlState(cause) ?? "unreadable";
  }
}

async function readText(path: string): Promise<Read> {
  try {
    const { size } = await stat(path);
    if (size > maxBytes) return refused(`is longer than ${maxBytes} bytes`);
    return { kind: "text", text: await readFile(path, "utf8") };
  } catch (cause) {
    return refused(`cannot be read (${sqlState(cause) ?? "no code"})`);
  }
}
