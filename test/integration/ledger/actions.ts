import type { MessageInitShape } from "@bufbuild/protobuf";
import type { UserActionSchema } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";

export type ActionInit = Extract<MessageInitShape<typeof UserActionSchema>, { $typeName?: never }>;

export const wallet = "0xDeadBeef00000000000000000000000000000001";

/** An action with every required field, and whatever a test says differently. */
export function action(eventId: string, more: Partial<ActionInit> = {}): ActionInit {
  return { eventId, wallet, sessionId: "sess_1", actionType: "STRATEGY_START", ...more };
}

/** The same wallet in another spelling, and others. */
export const walletLowerCase = wallet.toLowerCase();
export const otherWallet = "0xdeadbeef00000000000000000000000000000002";
