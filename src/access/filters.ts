import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { isServiceMethod, readsRecords } from "../server/access.ts";
import { optionalText, optionalTimeMicros, timeRange } from "../server/bounds.ts";
import { invalidField } from "../server/failure.ts";

/** Which calls a reader asks for; null does not restrict. */
export type CallFilters = {
  readonly subject: string | null;
  /** "Service/Method". */
  readonly method: string | null;
  readonly outcome: string | null;
  /** Made at or after, microseconds. */
  readonly fromMicros: bigint | null;
  /** Made before, microseconds. */
  readonly toMicros: bigint | null;
};

const subjectMaxBytes = 1024;
const outcomeMaxBytes = 64;

/** The filters that listing and exporting share, every one inside its bound. */
export function parseFilters(request: {
  subject: string;
  method: string;
  outcome: string;
  fromTime?: Timestamp | undefined;
  toTime?: Timestamp | undefined;
}): CallFilters {
  const fromMicros = optionalTimeMicros("from_time", request.fromTime);
  const toMicros = optionalTimeMicros("to_time", request.toTime);
  timeRange(fromMicros, toMicros);
  return {
    subject: optionalText("subject", request.subject, subjectMaxBytes),
    method: request.method === "" ? null : readingMethod(request.method),
    outcome: optionalText("outcome", request.outcome, outcomeMaxBytes),
    fromMicros,
    toMicros,
  };
}

/** A method whose calls are in the log; any other would be answered with nothing, for ever. */
function readingMethod(method: string): string {
  if (isServiceMethod(method) && readsRecords.has(method)) return method;
  throw invalidField(
    "method",
    'must be a method that reads records, as "Service/Method", e.g. UserActivityLedgerService/ListUserActions',
  );
}
