import type { HoldScope } from "../../gen/ts/polytraders/governance/v1/retention_pb.ts";
import { RecordKind } from "../../gen/ts/polytraders/governance/v1/retention_pb.ts";
import { nameKey } from "../auditor/tiers.ts";
import { botSlugMaxBytes, paramNameMaxBytes } from "../auditor/write.ts";
import { idMaxBytes } from "../ledger/action.ts";
import { type Identities, identityPattern } from "../ledger/identity.ts";
import { optionalText, optionalTimeMicros } from "../server/bounds.ts";
import { invalidField } from "../server/failure.ts";

/** What a hold covers, every field inside its bound; null does not restrict. */
export type Scope = {
  /** 'a' user activity, 'c' parameter changes. */
  readonly kind: "a" | "c";
  /** In lower case; null too where the hold names what stands for a scrubbed wallet. */
  readonly wallet: string | null;
  /** What stands for the wallet once scrubbed. */
  readonly identity: string | null;
  readonly sessionId: string | null;
  readonly botSlug: string | null;
  readonly paramName: string | null;
  /** The names as they compare (R24). */
  readonly botKey: string | null;
  readonly paramKey: string | null;
  readonly fromMicros: bigint | null;
  readonly toMicros: bigint | null;
};

const walletPattern = /^0x[0-9a-fA-F]{40}$/;

/** Checks a scope. Throws INVALID_FIELD. */
export function parseScope(scope: HoldScope | undefined, identities: Identities): Scope {
  if (scope === undefined) throw invalidField("scope", "is required");
  const kind = kindOf(scope.kind);
  const others = kind === "a" ? (["botSlug", "paramName"] as const) : (["wallet", "sessionId"] as const);
  for (const name of others) {
    if (scope[name] === "") continue;
    const records = kind === "a" ? "parameter changes" : "user activity";
    throw invalidField(`scope.${fieldNames[name]}`, `is for holds on ${records} alone; leave it out`);
  }
  const fromMicros = optionalTimeMicros("scope.from_time", scope.fromTime);
  const toMicros = optionalTimeMicros("scope.to_time", scope.toTime);
  if (fromMicros !== null && toMicros !== null && fromMicros >= toMicros) {
    throw invalidField("scope.to_time", "must be after from_time, or the hold covers nothing");
  }
  const botSlug = optionalText("scope.bot_slug", scope.botSlug, botSlugMaxBytes);
  const paramName = optionalText("scope.param_name", scope.paramName, paramNameMaxBytes);
  const parsed: Scope = {
    kind,
    ...walletOf(scope.wallet, identities),
    sessionId: optionalText("scope.session_id", scope.sessionId, idMaxBytes),
    botSlug,
    paramName,
    botKey: botSlug === null ? null : nameKey(botSlug),
    paramKey: paramName === null ? null : nameKey(paramName),
    fromMicros,
    toMicros,
  };
  const { kind: _, ...restrictions } = parsed;
  if (Object.values(restrictions).every((value) => value === null)) {
    throw invalidField("scope", "covers everything; set at least one field beside kind");
  }
  return parsed;
}

const fieldNames = {
  botSlug: "bot_slug",
  paramName: "param_name",
  wallet: "wallet",
  sessionId: "session_id",
} as const;

function kindOf(kind: RecordKind): "a" | "c" {
  if (kind === RecordKind.USER_ACTIVITY) return "a";
  if (kind === RecordKind.PARAMETER_CHANGES) return "c";
  throw invalidField("scope", "needs its kind: RECORD_KIND_USER_ACTIVITY or RECORD_KIND_PARAMETER_CHANGES");
}

function walletOf(text: string, identities: Identities): Pick<Scope, "wallet" | "identity"> {
  if (text === "") return { wallet: null, identity: null };
  if (identityPattern.test(text)) return { wallet: null, identity: text };
  if (!walletPattern.test(text)) {
    throw invalidField(
      "scope.wallet",
      'must be 0x and 40 hexadecimal digits, or "scrubbed:…" as records have it',
    );
  }
  return { wallet: text.toLowerCase(), identity: identities.of(text) };
}
