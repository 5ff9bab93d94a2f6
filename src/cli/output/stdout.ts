import { once } from "node:events";
import { errorCode } from "../errorCode.ts";
import { exitCodes } from "../exitCodes.ts";

/** What happens when whoever reads the output has gone (governance list | head). */
type BrokenPipe = { readonly kind: "end"; readonly exitCode: number } | { readonly kind: "ignore" };

let onBrokenPipe: BrokenPipe = { kind: "end", exitCode: exitCodes.ok };

/** Ends the command quietly when whoever reads its output has gone, unless setBrokenPipe says otherwise. */
export function watchBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (cause) => {
      if (errorCode(cause) !== "EPIPE") throw cause;
      if (onBrokenPipe.kind === "end") process.exit(onBrokenPipe.exitCode);
    });
  }
}

/** For commands whose output is worth nothing unless it is whole, or that do more than write. */
export function setBrokenPipe(then: BrokenPipe): void {
  onBrokenPipe = then;
}

/** Writes to stdout as fast as it is read. */
export async function print(text: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

/** Writes a line to stdout. */
export function printLine(line: string): Promise<void> {
  return print(`${line}\n`);
}

/** Tells the person at the terminal something that is no part of the output. */
export function note(line: string): void {
  process.stderr.write(`governance: ${line}\n`);
}

/** Resolves when all output was handed over. */
export async function flushed(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    await new Promise<void>((resolve) => stream.write("", () => resolve()));
  }
}
