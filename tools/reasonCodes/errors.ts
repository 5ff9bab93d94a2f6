import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Reason } from "../../src/server/failure.ts";
import { ToolError } from "../generate/command.ts";
import { root } from "../generate/paths.ts";

/** Whether the same call again is safe and makes sense, by reason. */
const retries: Readonly<Record<Reason, string>> = {
  INVALID_FIELD: "no: mend the field",
  TOKEN_INVALID: "no: get another token",
  TOKEN_EXPIRED: "with a new token",
  ROLE_NOT_ALLOWED: "no",
  WALLET_NOT_ALLOWED: "no",
  NOT_PUBLISHED: "no",
  EVENT_ID_CONFLICT: "no: mend how ids are made",
  WRITE_ID_CONFLICT: "no: mend how ids are made",
  STORE_UNAVAILABLE: "**yes**, with the same ids, after RetryInfo's delay",
  SPOOL_FULL: "**yes**, with the same ids, after RetryInfo's delay",
  BUDGET_EXCEEDED: "**yes**, with the same ids: they tell what became of the first try",
  LIMIT_EXCEEDED: "no: send less",
  NOT_SERVED: "no",
  GRPC_ONLY: "on the gRPC listener",
  SHUTTING_DOWN: "**yes**, with the same ids, on another replica or later",
  INTERNAL: "with the same ids nothing is done twice; give the request id to the operators",
  STREAM_SUPERSEDED: "no: the other stream goes on",
  EXPORT_CHANGED: "**yes**, from the start",
  LOG_EPOCH_CHANGED: "**yes**, from the place it names; an export from its start",
  LOG_BEHIND: "**yes**, after RetryInfo's delay",
  NOT_FOUND: "no",
  LEGAL_HOLD: "once the hold is released",
  RETENTION_BELOW_REGULATORY_MINIMUM: "no",
  PURGE_REFUSED: "once what the message names is over",
  HOLD_ID_CONFLICT: "no: choose another id",
};

export type DocumentedError = {
  readonly reason: string;
  /** The google.rpc code's name. */
  readonly code: string;
  /** What the contract's comment says, without the code. */
  readonly meaning: string;
  readonly retry: string;
};

function isReason(text: string): text is Reason {
  return Object.hasOwn(retries, text);
}

/** The reasons of ErrorReason in the contract's order and words. Throws a ToolError when one has no line here. */
export function documentedErrors(): readonly DocumentedError[] {
  const proto = readFileSync(join(root, "proto/polytraders/governance/v1/error_reason.proto"), "utf8");
  const values = proto.matchAll(/((?: {2}\/\/.*\n)+) {2}ERROR_REASON_([A-Z_]+) = [1-9]\d*;/g);
  const errors = [...values].map(([, comment = "", reason = ""]) => {
    const text = comment
      .replaceAll(/^ *\/\/ ?/gm, "")
      .replaceAll(/\s+/g, " ")
      .replaceAll(/ \(R\d+(, R\d+)*\)/g, "") // Rulings are for who builds the service.
      .trim();
    const [, code = "", meaning = ""] = /^([A-Z_]+)\. (.+)$/.exec(text) ?? [];
    if (code === "") throw new ToolError(`the comment of ${reason} does not begin with its google.rpc code`);
    if (!isReason(reason)) throw new ToolError(`nothing says whether a retry after ${reason} is safe`);
    return { reason, code, meaning, retry: retries[reason] };
  });
  const missing = Object.keys(retries).filter((reason) => !errors.some((error) => error.reason === reason));
  if (missing.length > 0) throw new ToolError(`the contract lacks ${missing.join(", ")}`);
  return errors;
}
