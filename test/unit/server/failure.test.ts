import { readFileSync } from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.ts";
import { ErrorReason } from "../../../gen/ts/polytraders/governance/v1/error_reason_pb.ts";
import { details, Failure, invalidField, type Reason, statusBytes } from "../../../src/server/failure.ts";

const proto = readFileSync(
  new URL("../../../proto/polytraders/governance/v1/error_reason.proto", import.meta.url),
  "utf8",
);

/** Each reason and the code that its comment in the contract starts with. */
const documented = [...proto.matchAll(/ {2}\/\/ ([A-Z_]+)\. [^=]*?ERROR_REASON_([A-Z_]+) = \d+;/g)].map(
  ([, code = "", reason = ""]) => ({ code, reason }),
);

function isReason(text: string): text is Reason {
  return text in ErrorReason && text !== "UNSPECIFIED";
}

test("every reason of the contract but UNSPECIFIED has its code in its comment", () => {
  const reasons = Object.keys(ErrorReason).filter(
    (name) => Number.isNaN(Number(name)) && name !== "UNSPECIFIED",
  );
  expect(documented.map(({ reason }) => reason).sort()).toEqual(reasons.sort());
});

test.each(documented)("$reason is sent with the code its comment says", ({ code, reason }) => {
  if (!isReason(reason)) throw new Error(`${reason} is not known`);
  const failure = new Failure(reason, "text");
  expect(Code[failure.code]?.replace(/(?!^)[A-Z]/g, "_$&").toUpperCase()).toBe(code);
  expect(failure.message).toBe(`${reason}: text`);
  expect(failure.reasonNumber).toBe(ErrorReason[reason]);
});

test("a failure carries one ErrorInfo, and BadRequest and RetryInfo where they apply", () => {
  const status = fromBinary(StatusSchema, statusBytes(invalidField("a.b[2]", "is wrong")));
  expect(status).toMatchObject({ code: 3, message: "INVALID_FIELD: a.b[2] is wrong" });
  expect(status.details.map((any) => any.typeUrl)).toEqual([
    "type.googleapis.com/google.rpc.ErrorInfo",
    "type.googleapis.com/google.rpc.BadRequest",
  ]);
  const [info, bad] = status.details;
  if (info === undefined || bad === undefined) throw new Error("no details");
  expect(anyUnpack(info, ErrorInfoSchema)).toMatchObject({
    reason: "INVALID_FIELD",
    domain: "governance.polytraders",
  });
  expect(anyUnpack(bad, BadRequestSchema)?.fieldViolations).toMatchObject([
    { field: "a.b[2]", description: "a.b[2] is wrong" },
  ]);

  const [, retry] = details(
    new Failure("STORE_UNAVAILABLE", "away", { retryAfterMs: 1500, metadata: { a: "b" } }),
  );
  if (retry === undefined) throw new Error("no RetryInfo");
  expect(anyUnpack(retry, RetryInfoSchema)?.retryDelay).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
});
