import { hash } from "node:crypto";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type RawObject, readRawObject } from "../rawObject.ts";
import { BadRow, optionalText, optionalTime, requiredText } from "./fields.ts";
import type { ActionFields } from "./userAction.ts";

/** Whether a row looks like an event of AWS CloudTrail. */
export function isCloudTrail(row: RawObject): boolean {
  return row.keys.includes("eventID") && row.keys.includes("eventName");
}

/**
 * A CloudTrail event as a user action. There are no wallets and sessions in it: the wallet is made of the
 * principal, the session of principal and day. Parameters go on digit for digit. Throws a BadRow.
 */
export function cloudTrailAction(row: RawObject): ActionFields {
  const occurredAt = optionalTime(row, "eventTime");
  if (occurredAt === undefined) throw new BadRow("eventTime is missing");
  const principal = principalOf(row);
  const wallet = `0x${hash("sha256", principal).slice(0, 40)}`;
  const day = timestampDate(occurredAt).toISOString().slice(0, 10);
  const paramsJson = row.raw("requestParameters");
  return {
    eventId: requiredText(row, "eventID"),
    wallet,
    sessionId: sessionOf(principal, day) ?? sessionOf(wallet, day) ?? day,
    actionType: upperSnake(requiredText(row, "eventName")),
    ...(paramsJson === undefined ? {} : { paramsJson }),
    occurredAt,
  };
}

/** Who acted: the most exact name that the event has. Services of AWS often leave no more than one. */
function principalOf(row: RawObject): string {
  const raw = row.raw("userIdentity");
  if (raw === undefined || !raw.startsWith("{")) return "unknown";
  const identity = readRawObject(raw);
  for (const key of ["arn", "principalId", "type", "invokedBy", "accountId"]) {
    const name = optionalText(identity, key);
    if (name !== undefined && name !== "") return name;
  }
  return "unknown";
}

const sessionMaxBytes = 128;

function sessionOf(principal: string, day: string): string | undefined {
  const session = `${principal}@${day}`;
  return Buffer.byteLength(session) <= sessionMaxBytes ? session : undefined;
}

/** GetStorageLensConfiguration → GET_STORAGE_LENS_CONFIGURATION, ListMFADevices → LIST_MFA_DEVICES. */
export function upperSnake(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .toUpperCase();
}
