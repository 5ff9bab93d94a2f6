import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { loadBus } from "../../../src/bus/settings.ts";

const on = { GOVERNANCE_NATS_SERVERS: "nats://one:4222, tls://two, [::1]:4223" };

describe("the bus", () => {
  test("is off without servers, and what would set it up alone stops the start", () => {
    expect(loadBus({})).toBeUndefined();
    expect(() => loadBus({ GOVERNANCE_NATS_RECORDED_BY: "bus" })).toThrow(
      "GOVERNANCE_NATS_RECORDED_BY: is set without GOVERNANCE_NATS_SERVERS",
    );
  });

  test("needs its servers alone", () => {
    expect(loadBus(on)).toMatchObject({
      servers: ["one:4222", "two:4222", "[::1]:4223"],
      tls: { caFile: undefined },
      actions: { stream: "internal_event_stream", subject: "internal.event_stream" },
      fills: { stream: "internal_report_bus", subject: "internal.report_bus" },
      reports: { stream: "polytraders_reports", format: "json", from: "beginning" },
      createsStreams: true,
      recordedBy: "event-stream",
    });
  });

  test.each([
    [{ SERVERS: "nats://user:secret@one" }, "SERVERS: must be hosts like nats://host:4222"],
    [{ CREDENTIALS_FILE: "/no/such.creds" }, "CREDENTIALS_FILE: /no/such.creds cannot be read"],
    [{ CERT_FILE: "/dev/null" }, "KEY_FILE: set both, or neither"],
    [{ ACTIONS_STREAM: "a.b" }, 'ACTIONS_STREAM: "a.b" is not 1 to 128 letters'],
    [{ ACTIONS_SUBJECT: "a..b" }, 'ACTIONS_SUBJECT: "a..b" is not a subject'],
    [
      { ACTIONS_SUBJECT: "internal.*" },
      "ACTIONS_SUBJECT and GOVERNANCE_NATS_FILLS_SUBJECT: have messages in common",
    ],
    [{ FILLS_SUBJECT: "governance.>" }, "FILLS_SUBJECT: takes in governance.dead_letters"],
    [{ FILLS_SUBJECT: "polytraders.*.settlement" }, "FILLS_SUBJECT: takes in polytraders.reports.settlement"],
    [{ DEAD_LETTER_SUBJECT: "dead.*" }, 'DEAD_LETTER_SUBJECT: "dead.*" is not a subject'],
    [{ REPORTS_FORMAT: "xml" }, 'REPORTS_FORMAT: "xml" is not json or protobuf'],
    [{ CREATE_STREAMS: "yes" }, 'CREATE_STREAMS: "yes" is not true or false'],
  ])("refuses %j, naming the setting", (wrong, message) => {
    const env = Object.fromEntries(
      Object.entries(wrong).map(([name, value]) => [`GOVERNANCE_NATS_${name}`, value]),
    );
    expect(() => loadBus({ ...on, ...env })).toThrow(message);
    expect(() => loadBus({ ...on, ...env })).not.toThrow("secret");
  });
});

test("a service without a bus does not load its client", () => {
  const script = `
    import { registerHooks } from "node:module";
    const loaded = [];
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    await import("./src/main.ts");
    console.log(loaded.filter((url) => url.includes("@nats-io")).length, loaded.length > 100);`;
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(out).toBe("0 true\n");
});
