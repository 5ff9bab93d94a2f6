import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import type { Gate } from "../../../src/auditor/gate.ts";
import { limits } from "../../../src/config.ts";
import type { Pipeline } from "../../../src/server/pipeline.ts";
import { openTracing } from "../../../src/tracing/tracing.ts";

const root = resolve(import.meta.dirname, "../../..");
const notCalled = () => {
  throw new Error("tracing is off");
};

test("while tracing is off every part of the service is what it was, and a journal is asked for nothing", async () => {
  const log = pino({ level: "silent" });
  const pipeline: Pipeline = { unary: notCalled, stream: notCalled, bidi: notCalled };
  const gate: Gate = { tryOut: notCalled, decideAndRecord: notCalled };
  const off = await openTracing(undefined, limits, log);
  expect(off.pipeline(pipeline)).toBe(pipeline);
  expect(off.gate(gate, notCalled)).toBe(gate);
  expect(off.tickets(notCalled)).toBe(notCalled);
  expect(off.journal("ledger")).toBeUndefined();
  expect(off.log(log)).toBe(log);
});

test("the SDK is not even loaded then", () => {
  const program = `
    import { registerHooks } from "node:module";
    const loaded = new Set();
    registerHooks({ resolve: (name, context, next) => (loaded.add(name), next(name, context)) });
    const isLoaded = () => loaded.has("@opentelemetry/sdk-trace");
    await import("./src/main.ts");
    const { openTracing } = await import("./src/tracing/tracing.ts");
    await openTracing(undefined, {}, undefined);
    const off = isLoaded();
    await openTracing({ url: "http://127.0.0.1:1", ratio: 1, asksParent: true }, {}, undefined);
    process.stdout.write(JSON.stringify({ off, on: isLoaded() }));`;
  // The Node of the tests: it runs TypeScript as it stands.
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", program], { cwd: root });
  expect(JSON.parse(said.toString())).toEqual({ off: false, on: true });
});
