import { expect, test } from "vitest";
import { signature } from "../../../src/alerts/receiver.ts";
import { parseConfigFile } from "../../../src/configFile.ts";

test("a signature is the one that Standard Webhooks prints for its example", () => {
  const key = Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64");
  expect(signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')).toEqual({
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  });
});

test.each([
  ["kind: pager", "alerts.receivers.0.kind: must be alertmanager or webhook"],
  ['{ kind: webhook, name: pager, url: "https://pager" }', "alerts.receivers.0.key_file: "],
  ['{ kind: alertmanager, name: am, url: "ftp://am" }', "alerts.receivers.0.url: must be an http(s) URL"],
  [
    '{ kind: alertmanager, name: am, url: "http://me:secret@am" }',
    "alerts.receivers.0.url: must not hold a user or a password",
  ],
  [
    '{ kind: alertmanager, name: The Pager, url: "http://am" }',
    "alerts.receivers.0.name: must be a short name",
  ],
])("the receiver %s is a mistake that is named", (receiver, problem) => {
  const parsed = parseConfigFile(`alerts:\n  receivers:\n    - ${receiver}\n`);
  expect(parsed.kind === "mistakes" && parsed.problems.join("\n")).toContain(problem);
});

test("two receivers of one name are a mistake: what was delivered is noted by it", () => {
  const one = '{ kind: alertmanager, name: am, url: "http://am" }';
  const parsed = parseConfigFile(`alerts: { receivers: [${one}, ${one}] }`);
  expect(parsed).toEqual({
    kind: "mistakes",
    problems: ["alerts.receivers: each receiver needs a name of its own"],
  });
});
