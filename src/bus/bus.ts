import type { DescMessage } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { type Connection, createPool } from "../db/pool.ts";
import { createReadBatch } from "../reports/readBatch.ts";
import { createAvailability, type EventStreamState } from "./availability.ts";
import { keepConnected } from "./connection.ts";
import { consume } from "./consume.ts";
import { createBusMetrics } from "./metrics.ts";
import { publish } from "./publish.ts";
import type { BusSettings } from "./settings.ts";
import { actionSource, type BusLedger, fillSource, type Source } from "./sources.ts";
import { lookAtStream, type StreamState } from "./streams.ts";
import { inTurns } from "./turns.ts";

/** The bus, read and written; disposing ends both, and begins nothing that is not in Postgres. */
export type Bus = AsyncDisposable & { readonly eventStream: () => EventStreamState };

export type BusLimits = {
  readonly messageMaxBytes: number;
  readonly busEveryMs: number;
  readonly busStoreBudgetMs: number;
  readonly busAwayMs: number;
  readonly readStatementTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly reportAnswerWithinMs: number;
  readonly reportsPollMs: number;
};

/** What is read of the log at a time, to be published. */
const publishedBatch = { maxRecords: 500, maxBytes: 1024 * 1024 };

/**
 * Records what comes over the bus and publishes the reports. Begins at once, and waits for neither: while the bus or
 * Postgres is away, each message waits where it is.
 */
export function startBus(
  settings: BusSettings,
  options: {
    readonly connection: Connection;
    readonly ledger: BusLedger;
    readonly registry: Registry;
    /** publish_to_audit_log as it is in force (R27). */
    readonly publishesOperations: () => boolean;
    readonly limits: BusLimits;
    readonly log: Logger;
  },
): Bus {
  const { connection, ledger, limits, log } = options;
  const { busEveryMs: everyMs } = limits;
  const nowMs = ledger.clock.monotonicMs;
  const availability = createAvailability({ awayMs: limits.busAwayMs, everyMs, nowMs, log });
  const bus = keepConnected(settings, log);
  const metrics = createBusMetrics(options.registry, {
    isConnected: () => bus.link() !== undefined,
    isAvailable: () => availability.state().isAvailable,
  });
  const pool = createPool({
    connection: { ...connection, query_timeout: limits.reportAnswerWithinMs },
    name: "bus",
    max: 1,
    limits: {
      statementTimeoutMs: limits.readStatementTimeoutMs,
      lockTimeoutMs: limits.readStatementTimeoutMs,
      connectTimeoutMs: limits.connectTimeoutMs,
    },
    log,
  });
  const shared = { connection, bus, isSame, everyMs, log };

  function reading<Desc extends DescMessage, Row, Outcome extends { readonly kind: string }>(
    of: Source<Desc, Row, Outcome>,
  ): AsyncDisposable {
    const consuming = { of, settings, limits, onStored: ledger.sequencer.nudge, metrics, log };
    return inTurns<StreamState>({
      ...shared,
      name: of.name,
      async look(link) {
        const seen = await lookAtStream(link, settings[of.name].stream, settings);
        availability.seen(of.name);
        return seen;
      },
      work: (turn) => consume(turn, consuming),
    });
  }

  const { publishesOperations } = options;
  const readBatch = createReadBatch({ pool, publishesOperations, ...publishedBatch });
  const publishing = { settings: settings.reports, readBatch, pollMs: limits.reportsPollMs, metrics };
  const turns = [
    reading(actionSource(ledger, settings.recordedBy)),
    reading(fillSource(ledger, settings.recordedBy)),
    inTurns<StreamState>({
      ...shared,
      name: "reports",
      look: (link) => lookAtStream(link, settings.reports.stream, settings),
      work: (turn) => publish(turn, publishing),
    }),
  ];

  return {
    eventStream: availability.state,
    async [Symbol.asyncDispose]() {
      availability[Symbol.dispose]();
      // Together: what a turn waits for on the bus ends with the connection.
      await Promise.all([...turns, bus].map((each) => each[Symbol.asyncDispose]()));
      await pool.end();
    },
  };
}

/** A stream of the same name that was made later is another one. */
function isSame(one: StreamState, other: StreamState): boolean {
  return one.created === other.created;
}
