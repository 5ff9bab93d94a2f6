import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { ReportService } from "../../../gen/ts/polytraders/governance/v1/report_service_pb.ts";
import type {
  StreamReportsRequestSchema,
  StreamReportsResponse,
} from "../../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import type { Role } from "../../../src/server/access.ts";
import type { Protocol, TestService } from "../../support/service.ts";

export type ReportClient = Client<typeof ReportService>;
export type Request = MessageInitShape<typeof StreamReportsRequestSchema>;

export async function reportsAs(
  service: TestService,
  role: Role,
  options: { readonly protocol?: Protocol; readonly ttlSeconds?: number } = {},
): Promise<ReportClient> {
  const { protocol, ttlSeconds = 50 * 366 * 86_400 } = options;
  const token = await service.token({ roles: [role], subject: `${role} reader`, ttlSeconds });
  return service.client(ReportService, token, protocol);
}

/** A stream under way, and what has come of it so far. */
export type Reader = AsyncDisposable & {
  readonly messages: readonly StreamReportsResponse[];
  /** Resolves with everything once the condition holds; fails when the stream ended before, or after 30 s. */
  until(condition: (messages: readonly StreamReportsResponse[]) => boolean): Promise<StreamReportsResponse[]>;
  /** Resolves with what the stream ended with. */
  readonly ended: Promise<unknown>;
};

export function readReports(client: ReportClient, request: Request): Reader {
  const leaving = new AbortController();
  const messages: StreamReportsResponse[] = [];
  let end: { readonly cause: unknown } | undefined;
  const ended = (async () => {
    try {
      for await (const message of client.streamReports(request, { signal: leaving.signal })) {
        messages.push(message);
      }
      end = { cause: undefined };
    } catch (cause) {
      end = { cause };
    }
    return end.cause;
  })();
  return {
    messages,
    ended,
    async until(condition) {
      const deadline = performance.now() + 30_000;
      while (!condition(messages)) {
        if (end !== undefined) throw new Error(`the stream ended: ${String(end.cause)}`);
        if (performance.now() > deadline)
          throw new Error(`it did not come; so far:\n${messages.map(lineOf).join("\n")}`);
        await sleep(10);
      }
      return [...messages];
    },
    async [Symbol.asyncDispose]() {
      leaving.abort();
      await ended;
    },
  };
}

/** A message in short: "42 HALT", "42.1 KILL_SWITCH_ACTIVE", "3-7 omitted". */
export function lineOf({ at, report }: StreamReportsResponse): string {
  const place = at?.part === 0 ? `${at.position}` : `${at?.position}.${at?.part}`;
  if (report.case === undefined) return `${place} progress`;
  if (report.case === "omitted") return `${report.value.firstPosition}-${place} ${report.value.reason}`;
  return `${place} ${report.value.eventType}`;
}

export function eventTypesOf(messages: readonly StreamReportsResponse[]): string[] {
  return messages.flatMap(({ report }) =>
    report.case === "settlement" || report.case === "operations" ? [report.value.eventType] : [],
  );
}

/** The event ids of reports on actions, in their order. */
export function eventIdsOf(messages: readonly StreamReportsResponse[]): string[] {
  return messages.flatMap(({ report }) =>
    report.case === "settlement" && report.value.eventType === "USER_ACTION_RECORDED"
      ? [report.value.eventId]
      : [],
  );
}
