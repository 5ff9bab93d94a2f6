import type {
  CloseAccountRequest,
  CloseAccountResponse,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { situations } from "../plainEnglish.ts";
import type { CallContext } from "../server/call.ts";
import { within } from "../server/within.ts";
import { parseAction } from "./action.ts";
import type { LedgerDependencies } from "./dependencies.ts";
import { recordAction } from "./recordUserAction.ts";
import type { ScrubState } from "./scrub/scrubber.ts";

/** Of the call's time, what is left for the answer itself once the wait for the scrub is over. */
const answerMs = 150;

/**
 * CloseAccount: records an ACCOUNT_CLOSE like any action, and with scrub_on_account_close says what became
 * of the scrub by the end of the call's time; what is not done then goes on by itself (spec 001 §6).
 */
export function createCloseAccount(dependencies: LedgerDependencies) {
  const { clock, identities, scrubber, settings } = dependencies;
  // What waits in the spool is scrubbed once it is drained.
  const notKnown = () => ({ kind: settings().scrubOnAccountClose ? "under way" : "none" }) as const;

  return async (request: CloseAccountRequest, context: CallContext): Promise<CloseAccountResponse> => {
    const { eventId, wallet, sessionId } = request;
    const fields = { eventId, wallet, sessionId, actionType: "ACCOUNT_CLOSE", traceId: "", sessionSeq: 0n };
    const { outcome, report } = await recordAction(parseAction(fields, ""), undefined, context, dependencies);
    const identity = identities.of(wallet);
    const withinMs = context.deadlineMs - clock.monotonicMs() - answerMs;
    const state = await within(scrubber.settle(identity, withinMs), withinMs + answerMs / 2, notKnown());
    const scrubbed = state.kind === "scrubbed";
    return {
      $typeName: "polytraders.governance.v1.CloseAccountResponse",
      outcome,
      ...(report === undefined ? {} : { report: scrubbed ? { ...report, walletAddress: identity } : report }),
      scrubbed,
      scrubbedRecords: scrubbed ? BigInt(state.records) : 0n,
      userMessage: messageOf(state),
      scrubbedIdentity: scrubbed ? identity : "",
      receiptId: scrubbed ? state.receiptId : "",
      scrubPending: pending[state.kind],
    };
  };
}

const pending = { scrubbed: "", none: "", held: "LEGAL_HOLD", "under way": "SCRUB_UNDER_WAY" } as const;

function messageOf({ kind }: ScrubState): string {
  switch (kind) {
    case "scrubbed":
      return situations.accountClosedAndScrubbed.sentence;
    case "none":
      return situations.accountClosed.sentence;
    case "held":
    case "under way":
      return situations.accountClosedAndScrubPending.sentence;
  }
}
