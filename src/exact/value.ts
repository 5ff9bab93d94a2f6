import type { JsonObject } from "@bufbuild/protobuf";
import type { Value } from "@bufbuild/protobuf/wkt";
import { DoublesWriter } from "./doubles-writer.ts";
import { bad, type ExactJson, type JsonProblem, type JsonSize, scanJson } from "./json.ts";

export { exactToStruct, exactToValue, sameAsDoubles } from "./doubles.ts";

export type DoublesResult =
  | {
      readonly kind: "ok";
      readonly value: ExactJson;
      /**
       * JSON Pointers of the numbers from ±2^53 on, which may have lost digits on the way here: the first 100,
       * each cut to 512 characters and "…".
       */
      readonly inexact: readonly string[];
    }
  | { readonly kind: "bad"; readonly problem: JsonProblem };

/**
 * The exact JSON of a google.protobuf.Struct field. Numbers get the shortest text that is the same double, -0
 * stays -0. NaN, infinities, lone surrogates, too deep and too long are refused. A Value without a kind
 * inside a Struct cannot be told from null: protobuf-es has made it null before this is called.
 */
export function structToExact(value: JsonObject, size: JsonSize): DoublesResult {
  const writer = new DoublesWriter(size);
  return finish(writer, writer.json(value, 0), size);
}

/** The exact JSON of a google.protobuf.Value field; as structToExact, and a Value without a kind is refused. */
export function valueToExact(value: Value, size: JsonSize): DoublesResult {
  const writer = new DoublesWriter(size);
  return finish(writer, writer.value(value, 0), size);
}

function finish(writer: DoublesWriter, text: string, size: JsonSize): DoublesResult {
  if (text === "") return bad(writer.path, writer.message);
  // The scan finds what is left to refuse, lone surrogates and the size in bytes, and gives the canonical form.
  const scanned = scanJson(text, { ...size, root: "any" });
  return scanned.kind === "bad" ? scanned : { ...scanned, inexact: writer.inexactPointers() };
}
