import type { Comparison, Figure } from "../comparison.ts";
import { checkWrite, checkWriteRate } from "./checkWrite.ts";
import { drain, drainForeground } from "./drain.ts";
import { exported, exportMemory } from "./exported.ts";
import { idleCpu, idleMemory } from "./idle.ts";
import { bareHttp2, noop } from "./noop.ts";
import { streamed } from "./streamed.ts";
import { streamedCopy } from "./streamedCopy.ts";
import { unary } from "./unary.ts";
import { unaryGo } from "./unaryGo.ts";
import { dedupe, positions } from "./written.ts";

/** Everything that is measured, in the order of the table. */
export const all: readonly (Comparison | Figure)[] = [
  unary,
  unaryGo,
  streamed,
  streamedCopy,
  checkWrite,
  checkWriteRate,
  noop,
  bareHttp2,
  exported,
  exportMemory,
  dedupe,
  drain,
  drainForeground,
  positions,
  idleCpu,
  idleMemory,
];
