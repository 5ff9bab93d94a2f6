import { StartupError } from "../startupError.ts";

/** Where traces go, and which calls are traced. */
export type TracingSettings = {
  /** The collector's address for traces, OTLP over HTTP. */
  readonly url: string;
  /** Of the calls that come without a traceparent, or with one where it is not asked: 0 to 1. */
  readonly ratio: number;
  /** Whether a caller's traceparent says if its call is traced. */
  readonly asksParent: boolean;
};

const samplers = {
  always_on: { asksParent: false, ratio: 1 },
  always_off: { asksParent: false, ratio: 0 },
  traceidratio: { asksParent: false, ratio: "OTEL_TRACES_SAMPLER_ARG" },
  parentbased_always_on: { asksParent: true, ratio: 1 },
  parentbased_always_off: { asksParent: true, ratio: 0 },
  parentbased_traceidratio: { asksParent: true, ratio: "OTEL_TRACES_SAMPLER_ARG" },
} as const;

/**
 * OpenTelemetry's own settings, as far as the SDK does not read them itself; undefined: tracing is off, and
 * nothing of them is looked at. Throws a StartupError that names the setting.
 */
export function tracingSettings(env: NodeJS.ProcessEnv): TracingSettings | undefined {
  const url = endpoint(env);
  if (url === undefined || env.OTEL_SDK_DISABLED?.toLowerCase() === "true") return undefined;
  const exporter = env.OTEL_TRACES_EXPORTER || "otlp";
  if (exporter === "none") return undefined;
  if (exporter !== "otlp")
    throw new StartupError(`OTEL_TRACES_EXPORTER: "${exporter}" is not one of otlp, none`);
  for (const name of ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]) {
    const protocol = env[name];
    if (!protocol) continue;
    if (protocol === "http/protobuf") break;
    throw new StartupError(
      `${name}: "${protocol}" is not spoken; set http/protobuf, and the collector's port for it`,
    );
  }
  const name = env.OTEL_TRACES_SAMPLER || "parentbased_always_on";
  const sampler = Object.entries(samplers).find(([known]) => known === name)?.[1];
  if (sampler === undefined) {
    throw new StartupError(
      `OTEL_TRACES_SAMPLER: "${name}" is not one of ${Object.keys(samplers).join(", ")}`,
    );
  }
  const { asksParent, ratio } = sampler;
  return { url, asksParent, ratio: typeof ratio === "number" ? ratio : ratioFrom(ratio, env[ratio] || "1") };
}

function endpoint(env: NodeJS.ProcessEnv): string | undefined {
  const whole = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  if (env[whole]) return httpUrl(whole, env[whole]).href;
  const base = "OTEL_EXPORTER_OTLP_ENDPOINT";
  if (!env[base]) return undefined;
  const url = httpUrl(base, env[base]);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/traces`;
  return url.href;
}

function httpUrl(setting: string, text: string): URL {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  // The text itself may hold a password.
  throw new StartupError(`${setting}: is not a URL like http://collector:4318`);
}

function ratioFrom(setting: string, text: string): number {
  const ratio = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw new StartupError(`${setting}: "${text}" is not a number from 0 to 1`);
}
