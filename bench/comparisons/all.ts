import type { Comparison } from "../comparison.ts";
import { checkWrite } from "./checkWrite.ts";
import { noop } from "./noop.ts";
import { streamed } from "./streamed.ts";
import { unary } from "./unary.ts";

/** Every comparison, in the order of the table. */
export const allComparisons: readonly Comparison[] = [unary, streamed, checkWrite, noop];
