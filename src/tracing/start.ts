import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Logger } from "pino";
import { within } from "../server/within.ts";
import { version } from "../version.ts";
import { tracedPipeline } from "./calls.ts";
import { tracedGate, tracedTickets } from "./decisions.ts";
import { sayOnce } from "./exporting.ts";
import { traceJournal } from "./journals.ts";
import type { TracingSettings } from "./settings.ts";
import { createSpans } from "./spans.ts";
import type { Tracing, TracingLimits } from "./tracing.ts";

/** Spans that wait to be sent; more are dropped. The collector never slows a call. */
const queueMaxSpans = 8_192;
const sentTogether = 512;
/** No attribute of ours is longer. */
const textMaxLength = 256;

/** Starts the SDK. It is not made global: nothing else in the process can add spans to these. */
export function startTracing(settings: TracingSettings, limits: TracingLimits, log: Logger): Tracing {
  const exporter = sayOnce(new OTLPTraceExporter({ url: settings.url }), log);
  const provider = new TracerProvider({
    sampler: samplerOf(settings),
    // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are read by the SDK, and the exporter's own settings by it.
    resource: resourceFromAttributes({
      "service.name": "polytraders-governance",
      "service.version": version,
    }).merge(detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] })),
    spanLimits: { attributeValueLengthLimit: textMaxLength },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        maxQueueSize: queueMaxSpans,
        maxExportBatchSize: sentTogether,
        scheduledDelayMillis: limits.tracesEveryMs,
      }),
    ],
  });
  const spans = createSpans(provider.getTracer("governance", version));
  return {
    pipeline: (pipeline) => tracedPipeline(pipeline, spans),
    gate: (gate, named) => tracedGate(gate, named, spans),
    tickets: (get) => tracedTickets(get, spans),
    journal: (name) => traceJournal(name, spans),
    log: (base) => base.child({}, { formatters: { log: (fields) => ({ ...fields, ...spans.logFields() }) } }),
    // What cannot be sent now was said already.
    close: (withinMs) =>
      within(
        provider.shutdown().catch(() => undefined),
        withinMs,
        undefined,
      ),
  };
}

function samplerOf({ asksParent, ratio }: TracingSettings): Sampler {
  const root = new TraceIdRatioBasedSampler(ratio);
  return asksParent ? new ParentBasedSampler({ root }) : root;
}
