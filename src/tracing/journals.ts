import { SpanKind } from "@opentelemetry/api";
import type { JournalTrace } from "../journal/trace.ts";
import type { Place, Spans } from "./spans.ts";

/** Leads each row's call through the batch that carries it. */
export function traceJournal(name: string, spans: Spans): JournalTrace {
  const waiting = new WeakMap<object, Place>();

  function waitingFor(rows: readonly unknown[]): Place[] {
    return rows.flatMap((row) => (isObject(row) ? (waiting.get(row) ?? []) : []));
  }

  function attributes(rows: number) {
    return { "governance.journal": name, "governance.rows": rows };
  }

  return {
    append: (rows, run) =>
      spans.below(`append ${name}`, { attributes: attributes(rows.length) }, (place) => {
        if (place !== undefined) for (const row of rows) if (isObject(row)) waiting.set(row, place);
        return run();
      }),

    commit(rows, run) {
      const of = waitingFor(rows);
      const options = {
        kind: SpanKind.CLIENT,
        attributes: { ...attributes(rows.length), "db.system.name": "postgresql" },
      };
      for (const { span } of new Set(of)) span.addEvent("its batch is sent");
      return spans.shared(`commit ${name}`, options, of, run);
    },

    spool: (rows, run) =>
      spans.shared(`spool ${name}`, { attributes: attributes(rows.length) }, waitingFor(rows), run),

    drain: (records, run) => spans.apart(`drain ${name}`, { attributes: attributes(records) }, run),
  };
}

function isObject(row: unknown): row is object {
  return typeof row === "object" && row !== null;
}
