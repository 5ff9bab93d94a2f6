import { create, toJson } from "@bufbuild/protobuf";
import { Command } from "commander";
import { ExportAccessLogRequestSchema } from "../../gen/ts/polytraders/governance/v1/access_log_pb.ts";
import { AccessLogService } from "../../gen/ts/polytraders/governance/v1/access_log_service_pb.ts";
import type { ExportTrailer } from "../../gen/ts/polytraders/governance/v1/export_pb.ts";
import { ExportParameterChangesRequestSchema } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import {
  ExportFillsRequestSchema,
  ExportUserActionsRequestSchema,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { type Connection, connected } from "./connection/connection.ts";
import { callFailure } from "./connection/failure.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection/options.ts";
import { CliError, exitCodes } from "./exitCodes.ts";
import { ExportFile } from "./export/file.ts";
import { LineChain } from "./export/lineChain.ts";
import { checkChain, ExportCut, ExportDamaged, type ExportPart, receiveExport } from "./export/receive.ts";
import {
  accessFilters,
  actionFilters,
  addFilterOptions,
  changeFilters,
  type FilterOptions,
  fillFilters,
  type Kind,
  kindOf,
} from "./filters.ts";
import { count, size } from "./output/count.ts";
import { createProgress, noProgress } from "./output/progress.ts";
import { note, print, printLine, setBrokenPipe } from "./output/stdout.ts";
import { stopSignal } from "./signals.ts";

type ExportOptions = ConnectionOptions & FilterOptions & { readonly output?: string; readonly resume?: true };

export function exportCommand(): Command {
  const command = new Command("export").description(
    "Write user actions, fills, parameter changes or the access log as JSONL, oldest first: everything committed before the call.",
  );
  addFilterOptions(command, ["actions", "fills", "changes", "access"])
    .optionsGroup("Output:")
    .option("--output <file>", "write to this file (default: stdout, which cannot be resumed)")
    .option("--resume", "go on with an export into --output that was cut; begin it if there is none")
    .action(exportRecords);
  return addConnectionOptions(command, "compliance").addHelpText(
    "after",
    `
An export that ends well is whole: the number of lines, the SHA-256 of what came and a chain of hashes over
all lines of the file are those of the service's trailer. One that was cut ends with exit code 4; what came of
it stays in the file, its place in FILE.resume, and --resume goes on from there, also after kill -9. The
finished file is byte for byte what one uncut export would have given, and FILE.resume is gone.

Examples:
  governance export --changes --tier P0 > changes.jsonl
  while governance export --output actions.jsonl --resume; [ $? -eq 4 ]; do sleep 1; done`,
  );
}

async function exportRecords(options: ExportOptions): Promise<void> {
  const kind = kindOf(options);
  if (options.resume && options.output === undefined) {
    throw new CliError(
      exitCodes.usage,
      "--resume needs --output: what went to stdout cannot be gone on with",
    );
  }
  setBrokenPipe({ kind: "end", exitCode: exitCodes.incomplete });
  if (options.output === undefined) await exportToStdout(kind, options);
  else await exportToFile(kind, options, options.output);
}

async function exportToStdout(kind: Kind, options: ExportOptions): Promise<void> {
  const whole = new LineChain();
  const target = {
    resumeToken: "",
    async take(part: ExportPart) {
      whole.update(part.jsonl);
      await print(part.jsonl);
    },
    cut: async (problem: string) => {
      const advice = "run it again with --output FILE, which --resume can go on with";
      return `the export was cut after ${count(whole.lines)} records: ${problem}; ${advice}`;
    },
    showsProgress: !process.stdout.isTTY,
  };
  const trailer = await receive(kind, options, target);
  await damagedIs(
    () => checkChain(trailer, whole),
    async (problem) => `what was written is not whole: ${problem}`,
  );
  if (process.stderr.isTTY) note(summary(trailer));
}

async function exportToFile(kind: Kind, options: ExportOptions, path: string): Promise<void> {
  await using file = await ExportFile.plan(path, requestText(kind, options), options.resume ?? false);
  const target = {
    resumeToken: file.resumeToken,
    take: (part: ExportPart) => file.write(part.jsonl, part.resumeToken),
    cut: async (problem: string) => {
      await file.keep();
      return `the export was cut: ${problem}; ${path} holds ${size(file.bytes)} of it; run again with --resume`;
    },
    showsProgress: true,
  };
  const damaged = async (problem: string) => {
    await file.discard();
    return `${path} is not what the service sent: ${problem}; run again with --resume, which begins anew`;
  };
  const trailer = await damagedIs(() => receive(kind, options, target), damaged);
  const chain = await file.chain();
  await damagedIs(() => checkChain(trailer, chain), damaged);
  await file.complete();
  await printLine(`${path}: ${summary(trailer)}`);
}

function summary(trailer: ExportTrailer): string {
  const records = `${count(trailer.totalCount)} records, complete`;
  // The calls of the access log have no positions.
  if (trailer.throughPosition === 0n) return records;
  return `${records} through position ${trailer.throughPosition} of epoch ${trailer.epoch}`;
}

/** What this is an export of; a cut one goes on only with the same. */
function requestText(kind: Kind, options: ExportOptions): string {
  const names = { useProtoFieldName: true };
  switch (kind) {
    case "fills": {
      const request = create(ExportFillsRequestSchema, fillFilters(options));
      return JSON.stringify({ fills: toJson(ExportFillsRequestSchema, request, names) });
    }
    case "changes": {
      const request = create(ExportParameterChangesRequestSchema, changeFilters(options));
      return JSON.stringify({
        parameter_changes: toJson(ExportParameterChangesRequestSchema, request, names),
      });
    }
    case "access": {
      const request = create(ExportAccessLogRequestSchema, accessFilters(options));
      return JSON.stringify({ access_log: toJson(ExportAccessLogRequestSchema, request, names) });
    }
    default: {
      const request = create(ExportUserActionsRequestSchema, actionFilters(options));
      return JSON.stringify({ user_actions: toJson(ExportUserActionsRequestSchema, request, names) });
    }
  }
}

type Target = {
  readonly resumeToken: string;
  take(part: ExportPart): Promise<void>;
  /** Keeps what can be kept of a cut export; the line for the person. */
  cut(problem: string): Promise<string>;
  readonly showsProgress: boolean;
};

/** Exports into the target. Throws a CliError, or ExportDamaged. */
function receive(kind: Kind, options: ExportOptions, target: Target): Promise<ExportTrailer> {
  const stop = stopSignal("stopped");
  return connected(options, "compliance", async (connection) => {
    const progress = target.showsProgress
      ? createProgress("exporting", undefined, process.stderr)
      : noProgress;
    let opened = false;
    let bytes = 0;
    const parts = open(kind, connection, options, target.resumeToken, {
      signal: stop,
      onHeader: () => {
        opened = true;
      },
    });
    try {
      const trailer = await receiveExport(parts, async (part) => {
        await target.take(part);
        bytes += part.jsonl.length;
        progress.update(bytes, size(bytes));
      });
      for (const replica of trailer.replicasWithSpooledRecords) {
        note(
          `the replica ${replica} had records in its spool when the export began; they may be missing from it`,
        );
      }
      return trailer;
    } catch (cause) {
      if (stop.aborted && stop.reason instanceof CliError) {
        throw new CliError(stop.reason.exitCode, await target.cut(stop.reason.message), { cause });
      }
      const problem = opened ? cutProblem(cause, bytes) : undefined;
      if (problem === undefined) throw cause;
      throw new CliError(exitCodes.incomplete, await target.cut(problem), { cause });
    } finally {
      progress.stop();
    }
  });
}

type CallOptions = { readonly signal: AbortSignal; readonly onHeader: () => void };

function open(
  kind: Kind,
  connection: Connection,
  options: ExportOptions,
  resumeToken: string,
  call: CallOptions,
): AsyncIterable<ExportPart> {
  switch (kind) {
    case "fills":
      return connection
        .client(UserActivityLedgerService)
        .exportFills({ ...fillFilters(options), resumeToken }, call);
    case "changes":
      return connection
        .client(ParameterChangeAuditorService)
        .exportParameterChanges({ ...changeFilters(options), resumeToken }, call);
    case "access":
      return connection
        .client(AccessLogService)
        .exportAccessLog({ ...accessFilters(options), resumeToken }, call);
    default:
      return connection
        .client(UserActivityLedgerService)
        .exportUserActions({ ...actionFilters(options), resumeToken }, call);
  }
}

/** Why a stream that had begun is not whole; undefined when it was refused, not cut. */
function cutProblem(cause: unknown, bytes: number): string | undefined {
  if (cause instanceof ExportCut) return cause.message;
  const failure = callFailure(cause);
  if (failure === undefined) return undefined;
  const isCut = failure.kind === "unreachable" || (failure.isTransient && bytes > 0);
  return isCut ? failure.message : undefined;
}

async function damagedIs<T>(
  work: () => T | Promise<T>,
  message: (problem: string) => Promise<string>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof ExportDamaged)) throw cause;
    throw new CliError(exitCodes.incomplete, await message(cause.message), { cause });
  }
}
