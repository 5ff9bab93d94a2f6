import type { KeyObject } from "node:crypto";
import type pg from "pg";
import type {
  ListLegalHoldsRequest,
  ListLegalHoldsResponse,
  ListPurgeRunsRequest,
  ListPurgeRunsResponse,
  PlaceLegalHoldRequest,
  PlaceLegalHoldResponse,
  ReleaseLegalHoldRequest,
  ReleaseLegalHoldResponse,
  RunPurgeRequest,
  RunPurgeResponse,
} from "../../gen/ts/polytraders/governance/v1/retention_pb.ts";
import { RetentionService } from "../../gen/ts/polytraders/governance/v1/retention_service_pb.ts";
import type { Clock } from "../clock.ts";
import { isAway } from "../db/read.ts";
import type { Identities } from "../ledger/identity.ts";
import { createTokens } from "../log/token.ts";
import { pageSize, requiredText } from "../server/bounds.ts";
import { type CallContext, type Rpc, unary } from "../server/call.ts";
import { Failure } from "../server/failure.ts";
import { isSameHold, legalHold, placeHold, readHold, readHolds, releaseHold } from "./holds.ts";
import type { Purge } from "./purge.ts";
import { purgeRun, readRuns } from "./runs.ts";
import { parseScope } from "./scope.ts";

const budgetMs = 10_000;
/** A run goes on when its caller's budget is over; ListPurgeRuns tells how it ended. */
const purgeBudgetMs = 600_000;

const holdIdMaxBytes = 128;
const reasonMaxBytes = 1000;

/** What a page token of holds or runs says: the seq of the last one. */
type After = { readonly seq: string };

function isAfter(value: unknown): value is After {
  return typeof value === "object" && value !== null && "seq" in value && typeof value.seq === "string";
}

/** RetentionService: legal holds, and the purge of what is past its retention. */
export function createRetention(dependencies: {
  readonly pool: pg.Pool;
  readonly clock: Clock;
  /** Keys page tokens. */
  readonly key: KeyObject;
  readonly identities: Identities;
  readonly purge: Purge;
}): readonly Rpc[] {
  const { pool, clock, key, identities, purge } = dependencies;
  const holdTokens = createTokens<After>(key, "RetentionService/ListLegalHolds", isAfter);
  const runTokens = createTokens<After>(key, "RetentionService/ListPurgeRuns", isAfter);

  async function place(
    request: PlaceLegalHoldRequest,
    context: CallContext,
  ): Promise<PlaceLegalHoldResponse> {
    const holdId = requiredText("hold_id", request.holdId, holdIdMaxBytes);
    const scope = parseScope(request.scope, identities);
    const reason = requiredText("reason", request.reason, reasonMaxBytes);
    const placed = { placedBy: context.caller.subject, placedMicros: clock.nowMicros() };
    await placeHold(pool, { ...scope, holdId, reason, ...placed });
    const hold = await readHold(pool, holdId);
    if (hold === undefined) throw new Error("a hold that was placed is not there");
    if (!isSameHold(hold, { ...scope, reason })) {
      const text = `hold_id ${JSON.stringify(holdId)} is another hold; nothing was changed`;
      throw new Failure("HOLD_ID_CONFLICT", text, { metadata: { hold_id: holdId } });
    }
    return { $typeName: "polytraders.governance.v1.PlaceLegalHoldResponse", hold: legalHold(hold) };
  }

  async function release(
    request: ReleaseLegalHoldRequest,
    context: CallContext,
  ): Promise<ReleaseLegalHoldResponse> {
    const holdId = requiredText("hold_id", request.holdId, holdIdMaxBytes);
    const reason = requiredText("reason", request.reason, reasonMaxBytes);
    const released = { releasedBy: context.caller.subject, releasedMicros: clock.nowMicros() };
    await releaseHold(pool, { holdId, reason, ...released });
    const hold = await readHold(pool, holdId);
    if (hold === undefined) throw new Failure("NOT_FOUND", `there is no hold ${JSON.stringify(holdId)}`);
    return { $typeName: "polytraders.governance.v1.ReleaseLegalHoldResponse", hold: legalHold(hold) };
  }

  async function listHolds(request: ListLegalHoldsRequest): Promise<ListLegalHoldsResponse> {
    const limit = pageSize("page_size", request.pageSize);
    const filters = JSON.stringify({ in_force: request.inForce });
    const before =
      request.pageToken === "" ? null : holdTokens.open("page_token", request.pageToken, filters).seq;
    const holds = await readHolds(pool, { inForce: request.inForce, before, limit: limit + 1 });
    const page = holds.slice(0, limit);
    const last = page.at(-1);
    return {
      $typeName: "polytraders.governance.v1.ListLegalHoldsResponse",
      holds: page.map(legalHold),
      nextPageToken:
        holds.length > limit && last !== undefined ? holdTokens.seal({ seq: last.seq }, filters) : "",
    };
  }

  async function runPurge(request: RunPurgeRequest, context: CallContext): Promise<RunPurgeResponse> {
    const run = await purge
      .run({ startedBy: context.caller.subject, isDry: request.dryRun })
      .catch((cause: unknown) => {
        if (cause instanceof Failure || !isAway(cause)) throw cause;
        const text = "the database went away; what was begun is finished by the next run";
        throw new Failure("STORE_UNAVAILABLE", text, { retryAfterMs: 1000, cause });
      });
    if (run === undefined) throw new Error("a run that was asked for is always due");
    return { $typeName: "polytraders.governance.v1.RunPurgeResponse", run: purgeRun(run) };
  }

  async function listRuns(request: ListPurgeRunsRequest): Promise<ListPurgeRunsResponse> {
    const limit = pageSize("page_size", request.pageSize);
    const before = request.pageToken === "" ? null : runTokens.open("page_token", request.pageToken, "").seq;
    const runs = await readRuns(pool, { before, limit: limit + 1 });
    const page = runs.slice(0, limit);
    const last = page.at(-1);
    return {
      $typeName: "polytraders.governance.v1.ListPurgeRunsResponse",
      runs: page.map(({ run }) => purgeRun(run)),
      nextPageToken: runs.length > limit && last !== undefined ? runTokens.seal({ seq: last.seq }, "") : "",
    };
  }

  const { method } = RetentionService;
  return [
    unary(method.placeLegalHold, budgetMs, place),
    unary(method.releaseLegalHold, budgetMs, release),
    unary(method.listLegalHolds, budgetMs, listHolds),
    unary(method.runPurge, purgeBudgetMs, runPurge),
    unary(method.listPurgeRuns, budgetMs, listRuns),
  ];
}
