import type { EndedOutage, SpoolBot } from "../journal/spool/entry.ts";
import { textOfMicros } from "../time.ts";
import type { Alert, AlertCode } from "./alert.ts";

/** What is known of a decision on a write, or of a write without one, when it is made and when it is read again. */
export type DecidedFacts = {
  readonly decisionId: string;
  readonly acceptedMicros: number;
  readonly botSlug: string;
  readonly paramName: string;
  readonly tier: string;
  readonly allowed: boolean;
  readonly automated: boolean;
  readonly reasonCode: string;
};

/** Why a decision is told of, and whether somebody is alerted: nobody is for automation (R16), but of break-glass. */
export type Told = {
  readonly reasonCode: Extract<
    AlertCode,
    | "P0_PARAMETER_CHANGED"
    | "BREAK_GLASS_USED"
    | "UNGATED_WRITE"
    | "AUDIT_TICKET_REQUIRED"
    | "AUDIT_TICKET_INVALID"
  >;
  readonly page: boolean;
};

/** What is told of a decision. `alertOnP0Change`: the parameter as it is in force; it silences the page alone. */
export function toldOf(decided: DecidedFacts, alertOnP0Change: boolean): readonly Told[] {
  const { reasonCode, tier, allowed, automated } = decided;
  const told: Told[] = [];
  if (reasonCode === "BREAK_GLASS_USED") told.push({ reasonCode, page: true });
  if (reasonCode === "AUDIT_TICKET_REQUIRED" || reasonCode === "AUDIT_TICKET_INVALID") {
    told.push({ reasonCode, page: !automated });
  }
  if (tier === "P0" && allowed && !automated && alertOnP0Change) {
    told.push({ reasonCode: "P0_PARAMETER_CHANGED", page: true });
  }
  if (reasonCode === "UNGATED_WRITE") {
    told.push({ reasonCode, page: (tier === "P0" || tier === "P1") && !automated });
  }
  return told;
}

export function decisionAlert(
  reasonCode: AlertCode,
  decided: Pick<DecidedFacts, "decisionId" | "acceptedMicros" | "botSlug" | "paramName" | "tier">,
): Alert {
  const { decisionId, acceptedMicros, botSlug, paramName, tier } = decided;
  return {
    reasonCode,
    key: decisionId,
    atMicros: acceptedMicros,
    facts: {
      decision_id: decisionId,
      bot_slug: withoutWallets(botSlug),
      param_name: withoutWallets(paramName),
      param_tier: tier,
    },
  };
}

/** A ticket of a write that was let through unverified was false (R7). */
export function recheckAlert(recheck: {
  readonly decisionId: string;
  readonly checkedMicros: number;
  readonly botSlug: string;
  readonly paramName: string;
}): Alert {
  const { decisionId, checkedMicros, botSlug, paramName } = recheck;
  return {
    reasonCode: "AUDIT_TICKET_INVALID",
    key: decisionId,
    atMicros: checkedMicros,
    facts: {
      decision_id: decisionId,
      bot_slug: withoutWallets(botSlug),
      param_name: withoutWallets(paramName),
    },
  };
}

/** A kill switch was used (R19). Its session and event are on record, under the id. */
export function killSwitchAlert(recordId: string, acceptedMicros: number): Alert {
  return {
    reasonCode: "KILL_SWITCH_ACTIVE",
    key: recordId,
    atMicros: acceptedMicros,
    facts: { record_id: recordId },
  };
}

const outageCodes = {
  "gov.useractivityledger": "LEDGER_WRITE_FAILED",
  "gov.parameterchangeauditor": "AUDIT_LOG_UNAVAILABLE",
} as const satisfies Record<SpoolBot, AlertCode>;

/** A bot's records go to the spool. Its key is the time until the outage is on record, then the outage's id. */
export function outageAlert(bot: SpoolBot, sinceMicros: number, id = textOfMicros(sinceMicros)): Alert {
  return { reasonCode: outageCodes[bot], key: id, atMicros: sinceMicros, facts: { bot_id: bot } };
}

export function damageAlert(atMicros: number, key = textOfMicros(atMicros)): Alert {
  return { reasonCode: "SPOOL_DAMAGED", key, atMicros, facts: {} };
}

/** A verdict was given and nobody made it durable: as urgent as the log being away, and about one decision. */
export function notRecordedAlert(
  decided: Pick<DecidedFacts, "decisionId" | "acceptedMicros" | "botSlug" | "paramName" | "tier">,
): Alert {
  return decisionAlert("AUDIT_LOG_UNAVAILABLE", decided);
}

/** Whether acknowledged records were lost in it, or nothing could tell. */
export function hasLost({ lost }: Pick<EndedOutage, "lost">): boolean {
  return lost !== 0;
}

/** Names of parameters are their callers' own, and may name a wallet. */
function withoutWallets(text: string): string {
  return text.replaceAll(/(?:0x)?[0-9a-f]{40,}/gi, "[wallet]");
}
