import { ParameterChangeAuditorService } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import type { TicketKind, TicketStatus } from "../../auditor/policy.ts";
import { scanJson } from "../../exact/json.ts";
import type { Connection } from "../connection/connection.ts";
import { callFailure } from "../connection/failure.ts";
import { CliError, exitCodes } from "../exitCodes.ts";
import { ExportCut, ExportDamaged, receiveExport } from "../export/receive.ts";
import { changeFilters, type FilterOptions } from "../filters.ts";
import { readRawObject } from "../rawObject.ts";

/** A recorded decision, as far as policies are judged by it. */
export type PastDecision = {
  readonly decisionId: string;
  readonly changedAt: string;
  readonly botSlug: string;
  readonly paramName: string;
  readonly newValue: { readonly canonical: string } | null;
  readonly editorId: string;
  readonly breakGlassReason: string | null;
  readonly verdict: string;
  readonly allowed: boolean;
  readonly mode: string;
  readonly reasonCode: string;
  readonly ticketStatus: string;
  readonly policyVersion: string;
};

/**
 * Reads the recorded decisions in log order, a message of them at a time. Throws a CliError when the history
 * was cut or is not what the service sent.
 */
export async function readHistory(
  connection: Connection,
  filters: Pick<FilterOptions, "from" | "to" | "bot">,
  take: (decisions: readonly PastDecision[]) => Promise<void>,
): Promise<void> {
  const auditor = connection.client(ParameterChangeAuditorService);
  let received = false;
  try {
    await receiveExport(auditor.exportParameterChanges(changeFilters(filters)), async ({ jsonl }) => {
      received = true;
      const lines = Buffer.from(jsonl).toString("utf8").split("\n");
      await take(lines.filter((line) => line !== "").map(decisionOf));
    });
  } catch (cause) {
    const isCut = cause instanceof ExportCut || (received && callFailure(cause)?.kind === "unreachable");
    if (!isCut && !(cause instanceof ExportDamaged)) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(exitCodes.incomplete, `the history did not come whole: ${why}; run it again`, {
      cause,
    });
  }
}

function decisionOf(line: string): PastDecision {
  const object = readRawObject(line);
  const optional = (key: string): string | null => {
    const value: unknown = JSON.parse(object.raw(key) ?? "null");
    return value === null ? null : String(value);
  };
  const text = (key: string) => optional(key) ?? "";
  const newValue = object.raw("new_value");
  return {
    decisionId: text("decision_id"),
    changedAt: text("changed_at"),
    botSlug: text("audited_bot"),
    paramName: text("param_name"),
    newValue: newValue === undefined ? null : { canonical: canonicalOf(newValue) },
    editorId: text("editor_id"),
    breakGlassReason: optional("break_glass_reason"),
    verdict: text("verdict"),
    allowed: object.raw("allowed") === "true",
    mode: text("mode"),
    reasonCode: text("reason_code"),
    ticketStatus: text("ticket_status"),
    policyVersion: text("policy_version"),
  };
}

/** What is recorded was once accepted, so it fits any bound. */
function canonicalOf(text: string): string {
  const scanned = scanJson(text, { maxBytes: text.length * 3, maxDepth: 1_000, root: "any" });
  if (scanned.kind === "bad") throw new Error(`a recorded value cannot be read: ${scanned.problem.message}`);
  return scanned.value.canonical;
}

const kinds = new Map<string, TicketKind>([
  ["NOT_REQUIRED", { kind: "absent" }],
  ["ABSENT", { kind: "absent" }],
  ["PRESENT", { kind: "unchecked" }],
  ["VALID", { kind: "valid" }],
  ["INVALID", { kind: "invalid" }],
  ["UNVERIFIED", { kind: "unverified" }],
] satisfies [TicketStatus, TicketKind][]);

/** What was known of the ticket when the decision was made; nobody is asked again. */
export function ticketOf({ ticketStatus }: PastDecision): TicketKind {
  const kind = kinds.get(ticketStatus);
  if (kind === undefined) throw new Error(`a recorded ticket_status is not known here: ${ticketStatus}`);
  return kind;
}
