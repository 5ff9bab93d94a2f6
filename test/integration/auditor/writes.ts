import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CheckWriteRequestSchema } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";

export type WriteInit = Extract<MessageInitShape<typeof CheckWriteRequestSchema>, { $typeName?: never }>;

/** A write with every required field, and whatever a test says differently. */
export function write(paramName: string, more: Partial<WriteInit> = {}): WriteInit {
  return { botSlug: "strategy.sports", paramName, editorId: "alice@polytraders", ...more };
}

/** The tiers that the contract prints as examples. */
export const exampleTiers = `
tiers:
  risk.*.max_position_pusd: P1
  risk.killswitch.*: P0
`;

/** The auditor in enforce, with those tiers. */
export const enforce = `gov.parameterchangeauditor: { mode: enforce }\n${exampleTiers}`;
