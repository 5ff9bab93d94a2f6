import { expect, test } from "vitest";
import { StartupError } from "../../../src/startupError.ts";
import { tracingSettings } from "../../../src/tracing/settings.ts";

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };

test.each<readonly [string, NodeJS.ProcessEnv]>([
  ["nothing is set", {}],
  ["everything is empty", { OTEL_EXPORTER_OTLP_ENDPOINT: "", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "" }],
  ["no collector is named", { OTEL_TRACES_SAMPLER: "whatever", OTEL_SERVICE_NAME: "governance" }],
  ["the SDK is disabled", { ...endpoint, OTEL_SDK_DISABLED: "True" }],
  ["the exporter is none", { ...endpoint, OTEL_TRACES_EXPORTER: "none" }],
])("tracing is off when %s", (_, env) => {
  expect(tracingSettings(env)).toBeUndefined();
});

test.each([
  ["http://collector:4318", undefined, "http://collector:4318/v1/traces"],
  ["https://collector/otlp/", "", "https://collector/otlp/v1/traces"],
  ["http://collector:4318", "http://other:1234/traces", "http://other:1234/traces"],
  [undefined, "http://other:1234/", "http://other:1234/"],
])("a base of %s and an address of %s are %s", (base, whole, url) => {
  expect(
    tracingSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: whole }),
  ).toEqual({ url, asksParent: true, ratio: 1 });
});

test.each([
  ["always_on", undefined, { asksParent: false, ratio: 1 }],
  ["always_off", undefined, { asksParent: false, ratio: 0 }],
  ["traceidratio", "0.25", { asksParent: false, ratio: 0.25 }],
  ["traceidratio", undefined, { asksParent: false, ratio: 1 }],
  ["parentbased_always_on", "0.25", { asksParent: true, ratio: 1 }],
  ["parentbased_always_off", undefined, { asksParent: true, ratio: 0 }],
  ["parentbased_traceidratio", "0", { asksParent: true, ratio: 0 }],
])("the sampler %s with %s", (name, arg, sampler) => {
  const env = { ...endpoint, OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: arg };
  expect(tracingSettings(env)).toMatchObject(sampler);
});

test.each<readonly [string, NodeJS.ProcessEnv, RegExp]>([
  ["no URL", { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" }, /^OTEL_EXPORTER_OTLP_ENDPOINT: is not a URL/],
  [
    "another kind of URL",
    { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "ftp://user:secret@collector" },
    /^OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: is not a URL like http:\/\/collector:4318$/,
  ],
  [
    "gRPC",
    { ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
    /^OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is not spoken; set http\/protobuf/,
  ],
  [
    "JSON for traces",
    {
      ...endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/json",
    },
    /^OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http\/json"/,
  ],
  [
    "an exporter",
    { ...endpoint, OTEL_TRACES_EXPORTER: "zipkin" },
    /^OTEL_TRACES_EXPORTER: "zipkin" is not one of/,
  ],
  ["a sampler", { ...endpoint, OTEL_TRACES_SAMPLER: "xray" }, /^OTEL_TRACES_SAMPLER: "xray" is not one of/],
  [
    "a ratio",
    { ...endpoint, OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "1.5" },
    /^OTEL_TRACES_SAMPLER_ARG: "1.5" is not a number from 0 to 1$/,
  ],
])("refused, with the setting's name: %s", (_, env, message) => {
  expect(() => tracingSettings(env)).toThrow(StartupError);
  expect(() => tracingSettings(env)).toThrow(message);
});

test("the protocol for traces goes before the one for all", () => {
  const protocols = {
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/protobuf",
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
  };
  expect(tracingSettings({ ...endpoint, ...protocols })).toBeDefined();
});
