import { ExportResultCode } from "@opentelemetry/core";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";

/** Says once that traces do not arrive, and once that they do again. What could not be sent is gone. */
export function sayOnce(exporter: SpanExporter, log: Logger): SpanExporter {
  let isFailing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const fails = result.code !== ExportResultCode.SUCCESS;
        if (fails && !isFailing) {
          const code = sqlState(result.error) ?? result.error?.name;
          log.warn({ code }, "the collector takes no traces; they are lost, and calls go on");
        } else if (!fails && isFailing) {
          log.info("the collector takes traces again");
        }
        isFailing = fails;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
  };
}
