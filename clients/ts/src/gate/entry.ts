import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type CheckWriteRequest,
  CheckWriteRequestSchema,
  type WriteOutcome,
} from "../gen/parameter_change_auditor_pb.ts";

/** What the service has to be told, and since when. */
export type Entry = { readonly at: Date } & (
  | {
      /**
       * "ungated": the write was made without a verdict. "applied": likewise, and it is known that it was made.
       * "aborted": it had no verdict, and was not made. "rejected": its verdict is not on record.
       */
      readonly kind: "ungated" | "applied" | "aborted" | "rejected";
      readonly write: CheckWriteRequest;
      /** Why there was no verdict, or no record of it. */
      readonly cause: string;
    }
  /** What became of a write whose verdict is on record. */
  | { readonly kind: "confirmation"; readonly decisionId: string; readonly outcome: WriteOutcome }
);

/** An entry as it is kept; `refusal` is why the service will never take it. */
export function entryToBytes(entry: Entry, refusal?: string): Uint8Array {
  const write =
    entry.kind === "confirmation"
      ? {}
      : { write: Buffer.from(toBinary(CheckWriteRequestSchema, entry.write)).toString("base64") };
  return Buffer.from(JSON.stringify({ ...entry, ...write, ...(refusal === undefined ? {} : { refusal }) }));
}

export type Kept = { readonly entry: Entry; readonly refusal: string | undefined };

export function entryFromBytes(bytes: Uint8Array): Kept {
  const { kind, at, write, cause, decisionId, outcome, refusal } = JSON.parse(Buffer.from(bytes).toString());
  const when = new Date(at);
  if (kind === "confirmation") return { entry: { kind, at: when, decisionId, outcome }, refusal };
  const request = fromBinary(CheckWriteRequestSchema, Buffer.from(write, "base64"));
  return { entry: { kind, at: when, write: request, cause }, refusal };
}
