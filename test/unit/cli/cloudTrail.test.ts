import { expect, test } from "vitest";
import { readRawObject } from "../../../src/cli/rawObject.ts";
import { cloudTrailAction, upperSnake } from "../../../src/cli/rows/cloudTrail.ts";

test.each([
  ["GetStorageLensConfiguration", "GET_STORAGE_LENS_CONFIGURATION"],
  ["ListMFADevices", "LIST_MFA_DEVICES"],
  ["DescribeDBInstances", "DESCRIBE_DB_INSTANCES"],
  ["ListSSHPublicKeys", "LIST_SSH_PUBLIC_KEYS"],
  ["CreateVpc", "CREATE_VPC"],
  ["GetFunction20150331v2", "GET_FUNCTION20150331V2"],
  ["CheckMfa", "CHECK_MFA"],
  ["already_snake", "ALREADY_SNAKE"],
  ["with spaces/and-more", "WITH_SPACES_AND_MORE"],
])("the event %s is the action %s", (event, action) => {
  expect(upperSnake(event)).toBe(action);
});

function action(members: string) {
  return cloudTrailAction(readRawObject(`{"eventID":"e","eventName":"GetUser",${members}}`));
}

const time = '"eventTime":"2023-07-10T23:30:00-02:00"';

test("the session is the principal and the day in UTC", () => {
  expect(action(`${time},"userIdentity":{"arn":"arn:x"}`).sessionId).toBe("arn:x@2023-07-11");
});

test.each([
  ['{"type":"T","principalId":"P","arn":"A"}', "A"],
  ['{"type":"T","principalId":"P","arn":null}', "P"],
  ['{"type":"T"}', "T"],
  ['{"invokedBy":"ec2.amazonaws.com","accountId":"1"}', "ec2.amazonaws.com"],
  ['{"accountId":"1"}', "1"],
  ["{}", "unknown"],
  ["null", "unknown"],
])("the principal of %s is %s", (identity, principal) => {
  const { sessionId, wallet } = action(`${time},"userIdentity":${identity}`);
  expect(sessionId).toBe(`${principal}@2023-07-11`);
  expect(wallet).toMatch(/^0x[0-9a-f]{40}$/);
});

test("a principal too long for a session's name is named by its wallet", () => {
  const arn = `arn:${"é".repeat(100)}`;
  const { sessionId, wallet } = action(`${time},"userIdentity":{"arn":"${arn}"}`);
  expect(sessionId).toBe(`${wallet}@2023-07-11`);
});

test.each([
  ["no time", '"userIdentity":{}', "eventTime is missing"],
  ["a time that is none", '"eventTime":"soon"', "eventTime is not a time like"],
])("an event with %s is refused", (_what, members, message) => {
  expect(() => action(members)).toThrow(message);
});
