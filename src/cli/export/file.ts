import { type FileHandle, open, stat } from "node:fs/promises";
import { errorCode } from "../errorCode.ts";
import { CliError, exitCodes } from "../exitCodes.ts";
import { LineChain } from "./lineChain.ts";
import { type ExportState, readState, removeState, statePath, writeState } from "./state.ts";

/** A crash costs at most what came within this many milliseconds; syncing each message would cost more. */
const checkpointMs = 1000;

/**
 * An export's file. The state beside it names only bytes that are on disk, so whatever ends the command,
 * the next one drops what is behind them and goes on. Nothing is touched before the first bytes come.
 */
export class ExportFile implements AsyncDisposable {
  readonly path: string;
  readonly #request: string;
  readonly #resumed: boolean;
  #resumeToken: string;
  #bytes: number;
  #file: FileHandle | undefined;
  #checkpointAtMs = 0;

  private constructor(path: string, request: string, state: ExportState | undefined) {
    this.path = path;
    this.#request = request;
    this.#resumed = state !== undefined;
    this.#resumeToken = state?.resumeToken ?? "";
    this.#bytes = state?.bytes ?? 0;
  }

  /** `request` is what is exported, as JSON without its token. Throws a CliError. */
  static async plan(path: string, request: string, resume: boolean): Promise<ExportFile> {
    const found = await stat(path).catch((cause: unknown) => {
      if (errorCode(cause) === "ENOENT") return undefined;
      throw unusable(path, cause);
    });
    if (found !== undefined && !found.isFile()) {
      throw new CliError(
        exitCodes.usage,
        `--output: ${path} is not a regular file; leave it out to write to stdout`,
      );
    }
    const state = await readState(path);
    if (state === undefined) {
      if (!resume || found === undefined) return new ExportFile(path, request, undefined);
      const why = `${path} is there without ${statePath(path)}, so it is complete, or not an export of this command`;
      throw new CliError(exitCodes.usage, `--resume: nothing to resume: ${why}`);
    }
    if (!resume) {
      const what = `${path} holds an export that was cut`;
      throw new CliError(
        exitCodes.usage,
        `${what}; go on with --resume, or remove ${statePath(path)} to start anew`,
      );
    }
    if (state.request !== request) {
      throw new CliError(exitCodes.usage, `--resume: ${path} was begun with other options: ${state.request}`);
    }
    if ((found?.size ?? 0) < state.bytes) {
      const what = `${path} is shorter than the ${state.bytes} bytes that ${statePath(path)} says it has`;
      throw new CliError(exitCodes.cannotStart, `${what}; remove both to start anew`);
    }
    return new ExportFile(path, request, state);
  }

  /** The token to go on with; "" for an export from its start. */
  get resumeToken(): string {
    return this.#resumeToken;
  }

  /** Bytes of the file so far. */
  get bytes(): number {
    return this.#bytes;
  }

  async write(jsonl: Uint8Array, resumeToken: string): Promise<void> {
    const file = await this.#begin();
    await this.#guarded(async () => {
      await file.writeFile(jsonl);
      this.#bytes += jsonl.length;
      this.#resumeToken = resumeToken;
      if (performance.now() >= this.#checkpointAtMs) await this.#checkpoint(file);
    });
  }

  /** Makes sure that the next run can go on behind all that came. */
  async keep(): Promise<void> {
    const file = await this.#begin();
    await this.#guarded(() => this.#checkpoint(file));
  }

  /** The chain over the lines of the whole file, read back from it. */
  async chain(): Promise<LineChain> {
    await this.#begin();
    const chain = new LineChain();
    await this.#guarded(async () => {
      await using file = await open(this.path, "r");
      for await (const bytes of file.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 })) {
        chain.update(bytes);
      }
    });
    return chain;
  }

  /** The file is complete and checked. */
  async complete(): Promise<void> {
    const file = await this.#begin();
    await this.#guarded(async () => {
      await file.sync();
      await removeState(this.path);
    });
  }

  /** The file is not what the service sent: the next run begins at its start. */
  async discard(): Promise<void> {
    await writeState(this.path, { request: this.#request, resumeToken: "", bytes: 0 });
  }

  async #begin(): Promise<FileHandle> {
    this.#file ??= await this.#guarded(() => (this.#resumed ? this.#continue() : this.#create()));
    return this.#file;
  }

  async #continue(): Promise<FileHandle> {
    const file = await open(this.path, "a");
    await file.truncate(this.#bytes);
    return file;
  }

  async #create(): Promise<FileHandle> {
    // Before the file is there: a file without a state is a complete one.
    await writeState(this.path, { request: this.#request, resumeToken: "", bytes: 0 });
    return open(this.path, "w", 0o600);
  }

  async #checkpoint(file: FileHandle): Promise<void> {
    await file.datasync();
    await writeState(this.path, {
      request: this.#request,
      resumeToken: this.#resumeToken,
      bytes: this.#bytes,
    });
    this.#checkpointAtMs = performance.now() + checkpointMs;
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw unusable(this.path, cause);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
  }
}

function unusable(path: string, cause: unknown): unknown {
  const code = errorCode(cause);
  if (code === undefined) return cause;
  return new CliError(exitCodes.cannotStart, `${path} cannot be written (${code})`, { cause });
}
