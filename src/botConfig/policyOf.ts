import { createPolicy, type Policy } from "../auditor/policy.ts";
import type { ConfigFile } from "../configFile.ts";

/** The policy that a config file makes, with the auditor's parameters as they are in force. */
export function policyOf(file: ConfigFile): Policy {
  const { mode, require_ticket_for: requireTicketFor } = file["gov.parameterchangeauditor"];
  const { tiers, stopping, automation, tickets } = file;
  return createPolicy({
    mode,
    requireTicketFor,
    tiers,
    stopping,
    automation,
    ...(tickets.system === undefined ? {} : { onTicketSystemDown: tickets.on_ticket_system_down }),
  });
}
