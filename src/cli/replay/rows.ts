import { type RawObject, readRawObject } from "../rawObject.ts";
import { cloudTrailAction, isCloudTrail } from "../rows/cloudTrail.ts";
import { BadRow } from "../rows/fields.ts";
import { isParameterChange } from "../rows/parameterChange.ts";
import { type ActionFields, isUserAction, userAction } from "../rows/userAction.ts";
import type { Line } from "./lines.ts";

export const kinds = ["user-actions", "parameter-changes"] as const;
export type Kind = (typeof kinds)[number];

/** A row of a file, or what is wrong with it. */
export type Row =
  | { readonly kind: "object"; readonly number: number; readonly object: RawObject; readonly bytes: number }
  | { readonly kind: "bad"; readonly number: number; readonly problem: string };

/** Lines as JSON objects. */
export async function* readRows(lines: AsyncIterable<Line>): AsyncGenerator<Row> {
  for await (const line of lines) {
    if (line.kind === "bad") {
      yield line;
      continue;
    }
    const { number, text } = line;
    const object = withProblem(() => readRawObject(text));
    if (typeof object === "string") yield { kind: "bad", number, problem: object };
    else yield { kind: "object", number, object, bytes: Buffer.byteLength(text) };
  }
}

/** What a row is of; undefined when it is neither. */
export function kindOf(object: RawObject): Kind | undefined {
  if (isParameterChange(object)) return "parameter-changes";
  return isCloudTrail(object) || isUserAction(object) ? "user-actions" : undefined;
}

/** The user action of a row, CloudTrail's or ours. Throws a BadRow. */
export function actionOf(object: RawObject): ActionFields {
  return isCloudTrail(object) ? cloudTrailAction(object) : userAction(object);
}

/** What `work` gives, or what is wrong with its row. */
export function withProblem<T extends object>(work: () => T): T | string {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof BadRow) return cause.message;
    throw cause;
  }
}
