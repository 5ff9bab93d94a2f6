import { errors, type JWTVerifyGetKey, jwtVerify } from "jose";
import { isRole, type Role } from "./access.ts";
import { Failure } from "./failure.ts";

/** Who calls, from a verified token alone. */
export type Caller = {
  readonly subject: string;
  readonly roles: ReadonlySet<Role>;
  /** The token's wallet as it stands there; compare in lower case. */
  readonly wallet: string | undefined;
  /** When the token expires, on the wall clock: what goes on for longer than a call has to end then. */
  readonly expiresAtMs: number;
};

export type Authenticator = {
  /** The caller of a token that was verified before and has not expired; undefined when it must be verified. */
  remembered(authorization: string | undefined): Caller | undefined;
  /** Verifies the authorization header. Throws TOKEN_INVALID or TOKEN_EXPIRED, or STORE_UNAVAILABLE without keys. */
  verify(authorization: string | undefined): Promise<Caller>;
};

/** Asymmetric signatures only: a shared secret or "none" can never be what a key set's owner meant. */
const algorithms = ["EdDSA", "ES256", "ES384", "RS256", "PS256"];

/** A remembered token costs about half a kilobyte; two generations of this many are kept. */
const rememberedTokens = 10_000;

/**
 * Checks bearer tokens: signature by a pinned algorithm, issuer, audience, expiry, subject, roles. A
 * verified one is remembered until it expires, as a signature check costs more than the whole call.
 */
export function createAuthenticator(options: {
  readonly keys: JWTVerifyGetKey;
  readonly issuer: string;
  readonly audience: string;
  /** Wall clock, milliseconds. */
  readonly nowMs: () => number;
  /** A token with the role break-glass is good for this long at most, from its issue to its expiry. */
  readonly breakGlassMaxMinutes: number;
}): Authenticator {
  // Two generations instead of an LRU: a full one becomes the old one, so a look-up never reorders.
  let young = new Map<string, Caller>();
  let old = new Map<string, Caller>();

  function remember(token: string, entry: Caller): void {
    if (young.size >= rememberedTokens) {
      old = young;
      young = new Map();
    }
    young.set(token, entry);
  }

  return {
    remembered(authorization) {
      if (authorization === undefined) return undefined;
      let entry = young.get(authorization);
      if (entry === undefined) {
        entry = old.get(authorization);
        if (entry === undefined) return undefined;
        remember(authorization, entry);
      }
      return entry.expiresAtMs > options.nowMs() ? entry : undefined;
    },

    async verify(authorization) {
      const token = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
      if (authorization === undefined || token === undefined) {
        throw new Failure("TOKEN_INVALID", "the call needs a header authorization: Bearer <token>");
      }
      const caller = await verifyToken(token, options);
      remember(authorization, caller);
      return caller;
    },
  };
}

async function verifyToken(
  token: string,
  options: Parameters<typeof createAuthenticator>[0],
): Promise<Caller> {
  try {
    const { payload } = await jwtVerify(token, options.keys, {
      algorithms,
      issuer: options.issuer,
      audience: options.audience,
      requiredClaims: ["sub", "exp"],
      currentDate: new Date(options.nowMs()),
    });
    const claimed: unknown[] = Array.isArray(payload.roles) ? payload.roles : [];
    const roles = new Set<Role>();
    for (const role of claimed) if (typeof role === "string" && isRole(role)) roles.add(role);
    if (roles.has("break-glass")) checkLifetime(payload, options.breakGlassMaxMinutes);
    const subject = payload.sub ?? "";
    if (subject === "" || subject.length > 256 || subject.includes("\0")) {
      throw new Failure("TOKEN_INVALID", "the token's sub must be 1 to 256 characters");
    }
    const wallet = typeof payload.wallet === "string" ? payload.wallet : undefined;
    return { subject, roles, wallet, expiresAtMs: (payload.exp ?? 0) * 1000 };
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    if (cause instanceof errors.JWTExpired) {
      throw new Failure("TOKEN_EXPIRED", "the token has expired; get a new one", { cause });
    }
    if (cause instanceof errors.JWTClaimValidationFailed && cause.claim === "nbf") {
      throw new Failure("TOKEN_INVALID", "the token is not valid yet", { cause });
    }
    if (cause instanceof errors.JWTClaimValidationFailed) {
      throw new Failure("TOKEN_INVALID", `the token's ${cause.claim} is not the one this service expects`, {
        cause,
      });
    }
    throw new Failure("TOKEN_INVALID", "the token is not one this service trusts", { cause });
  }
}

/** What opens every door is bounded in time: nobody keeps it for later. */
function checkLifetime({ iat, exp }: { iat?: number; exp?: number }, maxMinutes: number): void {
  const text = `a token with the role break-glass must be good for ${maxMinutes} minutes at most, from its iat to its exp`;
  if (iat === undefined) throw new Failure("TOKEN_INVALID", `${text}; this one has no iat`);
  if ((exp ?? Number.POSITIVE_INFINITY) - iat > maxMinutes * 60) throw new Failure("TOKEN_INVALID", text);
}
