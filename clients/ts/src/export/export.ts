import { createHash } from "node:crypto";
import {
  create,
  type DescMessage,
  type DescService,
  type JsonValue,
  type MessageInitShape,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { noVerdictCause, reasonOf } from "../errors.ts";
import { ExportAccessLogRequestSchema } from "../gen/access_log_pb.ts";
import { AccessLogService } from "../gen/access_log_service_pb.ts";
import type { ExportTrailer } from "../gen/export_pb.ts";
import { ExportParameterChangesRequestSchema } from "../gen/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../gen/parameter_change_auditor_service_pb.ts";
import { ExportFillsRequestSchema, ExportUserActionsRequestSchema } from "../gen/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../gen/user_activity_ledger_service_pb.ts";
import { createBackoff } from "../waiting.ts";
import { ExportError } from "./error.ts";
import { type ExportFile, planExport } from "./file.ts";

/** How often an export is taken up again without a byte of progress. */
const triesWithoutProgress = 5;

export type ExportOptions = {
  /** Aborted: rejects with an ExportError "cut"; the same call goes on. */
  readonly signal?: AbortSignal;
};

/** A message of any export. */
type Part = {
  readonly jsonl: Uint8Array;
  readonly resumeToken: string;
  readonly trailer?: ExportTrailer | undefined;
};

type Export<D extends DescMessage> = (
  transport: Transport,
  filters: MessageInitShape<D>,
  path: string,
  options?: ExportOptions,
) => Promise<ExportTrailer>;

/**
 * Writes the actions that the filters choose to a file, as JSONL, and resolves when all of it is on disk and checked:
 * lines and SHA-256 of what came, and the chain of hashes over the whole file, are those of the trailer. After a cut it
 * goes on by itself. An ExportError "cut" says that it gave up: the same call goes on, also in another process. A file
 * that is there and complete is not overwritten. Needs the role compliance.
 */
export const exportUserActions = exporter(
  "user_actions",
  ExportUserActionsRequestSchema,
  UserActivityLedgerService,
  (ledger, request, signal) => ledger.exportUserActions(request, { signal }),
);

/** Execution reports, as exportUserActions does actions. */
export const exportFills = exporter(
  "fills",
  ExportFillsRequestSchema,
  UserActivityLedgerService,
  (ledger, request, signal) => ledger.exportFills(request, { signal }),
);

/** Decisions, as exportUserActions does actions. */
export const exportParameterChanges = exporter(
  "parameter_changes",
  ExportParameterChangesRequestSchema,
  ParameterChangeAuditorService,
  (auditor, request, signal) => auditor.exportParameterChanges(request, { signal }),
);

/** The access log, as exportUserActions does actions. */
export const exportAccessLog = exporter(
  "access_log",
  ExportAccessLogRequestSchema,
  AccessLogService,
  (accessLog, request, signal) => accessLog.exportAccessLog(request, { signal }),
);

function exporter<D extends DescMessage, S extends DescService>(
  kind: string,
  schema: D,
  service: S,
  open: (client: Client<S>, request: MessageShape<D>, signal: AbortSignal) => AsyncIterable<Part>,
): Export<D> {
  return (transport, filters, path, { signal } = {}) => {
    const client = createClient(service, transport);
    const request = (resumeToken: string) => Object.assign(create(schema, filters), { resumeToken });
    const described: JsonValue = { [kind]: toJson(schema, request("")) };
    return run(path, described, signal ?? new AbortController().signal, (resumeToken, calling) =>
      open(client, request(resumeToken), calling),
    );
  };
}

type OpenParts = (resumeToken: string, signal: AbortSignal) => AsyncIterable<Part>;

async function run(
  path: string,
  described: JsonValue,
  signal: AbortSignal,
  open: OpenParts,
): Promise<ExportTrailer> {
  const file = await planExport(path, described);
  const pause = createBackoff();
  try {
    for (let tries = 1; ; tries++) {
      const before = file.bytes();
      try {
        return await finish(file, await receive(file, open, signal));
      } catch (cause) {
        if (isSpoilt(cause)) await file.discard();
        if (!isCut(cause)) throw cause;
        await file.checkpoint();
        if (file.bytes() > before) {
          tries = 1;
          pause.reset();
        }
        if (tries >= triesWithoutProgress || signal.aborted) throw cutError(path, file, cause);
        await pause.wait(signal);
      }
    }
  } finally {
    await file.close();
  }
}

/** What was exported is not, or is no longer, the beginning of what there is. */
function isSpoilt(cause: unknown): boolean {
  if (cause instanceof ExportError) return cause.kind === "damaged";
  const reason = reasonOf(cause);
  return reason === "EXPORT_CHANGED" || reason === "LOG_EPOCH_CHANGED";
}

function isCut(cause: unknown): boolean {
  if (cause instanceof ExportError) return cause.kind === "cut";
  if (isSpoilt(cause)) return false;
  const isCanceled = cause instanceof ConnectError && cause.code === Code.Canceled;
  return isCanceled || noVerdictCause(cause) !== undefined;
}

function cutError(path: string, file: ExportFile, cause: unknown): ExportError {
  const what = `the export was cut; ${path} holds ${file.bytes()} bytes of it, and the same call goes on`;
  return new ExportError("cut", `${what}: ${String(cause)}`, { cause });
}

/** Takes one stream, and checks it against its trailer. */
async function receive(file: ExportFile, open: OpenParts, signal: AbortSignal): Promise<ExportTrailer> {
  const sum = createHash("sha256");
  let lines = 0n;
  let trailer: ExportTrailer | undefined;
  const calling = new AbortController();
  const stopped = () => calling.abort(signal.reason);
  signal.addEventListener("abort", stopped);
  try {
    if (signal.aborted) throw new ConnectError("it was given up", Code.Canceled);
    for await (const part of open(file.resumeToken(), calling.signal)) {
      if (trailer !== undefined) throw new ExportError("damaged", "something came behind the trailer");
      if (part.jsonl.length > 0) {
        sum.update(part.jsonl);
        lines += countLines(part.jsonl);
        await file.write(part.jsonl, part.resumeToken);
      }
      trailer = part.trailer;
    }
  } finally {
    signal.removeEventListener("abort", stopped);
    calling.abort();
  }
  if (trailer?.complete !== true) throw new ExportError("cut", "it ended without its trailer");
  if (trailer.count !== lines) {
    throw new ExportError("damaged", `the trailer says ${trailer.count} lines, and ${lines} came`);
  }
  if (!sum.digest().equals(trailer.sha256)) {
    throw new ExportError("damaged", "the SHA-256 of what came is not the trailer's");
  }
  return trailer;
}

function countLines(jsonl: Uint8Array): bigint {
  let count = 0n;
  for (let at = jsonl.indexOf(10); at >= 0; at = jsonl.indexOf(10, at + 1)) count++;
  return count;
}

/** Checks the whole file, as it is on disk. */
async function finish(file: ExportFile, trailer: ExportTrailer): Promise<ExportTrailer> {
  const { lines, chain } = await file.chain();
  if (trailer.totalCount !== lines) {
    throw new ExportError(
      "damaged",
      `the trailer says ${trailer.totalCount} lines in all, and there are ${lines}`,
    );
  }
  if (!chain.equals(trailer.chainSha256)) {
    throw new ExportError("damaged", "the chain of hashes over its lines is not the trailer's");
  }
  await file.complete();
  return trailer;
}
