import { z } from "zod";
import { type Pattern, parsePattern } from "../auditor/tiers.ts";
import type { TicketFacts } from "./facts.ts";
import type { JsonAnswer } from "./http.ts";
import type { JiraSettings } from "./settings.ts";
import type { TicketQuestion, TicketSystem } from "./system.ts";
import { endOfDayMicros, microsOfTime } from "./times.ts";

/** PROJECT-number; Jira compares it ignoring case. Longer ones than any Jira gives are none. */
const issueKey = /^([A-Z][A-Z0-9_]{0,63})-[1-9][0-9]{0,17}$/;

const issue = z.object({
  key: z.string(),
  fields: z.looseObject({
    status: z.object({ statusCategory: z.object({ key: z.string() }) }),
    created: z.string().nullish(),
    /** When its status last came into another category; Cloud alone has it. */
    statuscategorychangedate: z.string().nullish(),
    resolutiondate: z.string().nullish(),
  }),
});

/** Jira's REST API: GET /rest/api/{2|3}/issue/{key}. */
export function createJira(settings: JiraSettings, token: string | undefined): TicketSystem {
  const base = settings.url.replace(/\/+$/, "");
  const scopeField = settings.scope_field;
  const expiryField = settings.expiry_field;
  const fields = new Set(["status", "created", "statuscategorychangedate", "resolutiondate", scopeField]);
  if (expiryField !== null) fields.add(expiryField);
  const query = new URLSearchParams({ fields: [...fields].join(",") });
  const headers = authorization(settings.auth, token);
  const isOpen = (category: string) => settings.open.some((open) => open === category);
  const isOurs = (project: string) => settings.projects.length === 0 || settings.projects.includes(project);

  function keyOf({ ticketRef }: TicketQuestion): string | undefined {
    const key = ticketRef.trim().toUpperCase();
    const project = issueKey.exec(key)?.[1];
    return project !== undefined && isOurs(project) ? key : undefined;
  }

  function readIssue(body: unknown): TicketFacts | undefined {
    const parsed = issue.safeParse(body);
    if (!parsed.success) return undefined;
    const { key, fields } = parsed.data;
    // An issue that was moved is found under its old key too, and answers with its new one.
    const project = issueKey.exec(key)?.[1];
    if (project === undefined) return undefined;
    if (!isOurs(project)) return { kind: "unusable", why: "wrong_project" };
    const scope = scopeOf(fields[scopeField], settings.scope_prefix);
    const expires = expiryOf(expiryField === null ? null : fields[expiryField]);
    if (scope === undefined || expires === undefined) return undefined;
    const since = fields.statuscategorychangedate ?? fields.resolutiondate;
    return {
      kind: "found",
      createdMicros: microsOfTime(fields.created),
      closed: isOpen(fields.status.statusCategory.key) ? undefined : { sinceMicros: microsOfTime(since) },
      expiresMicros: expires.micros,
      scope,
    };
  }

  return {
    keyOf,
    answersAsOf: false,
    request: (question) => ({
      method: "GET",
      url: new URL(
        `${base}/rest/api/${settings.api_version}/issue/${encodeURIComponent(keyOf(question) ?? "")}?${query}`,
      ),
      headers,
    }),
    read(answer) {
      if (!isSignedIn(answer)) return undefined;
      if (answer.status !== 404) return readIssue(answer.body);
      return isErrorOfJira(answer.body) ? { kind: "unusable", why: "not_found" } : undefined;
    },
  };
}

function authorization(auth: "basic" | "bearer", token: string | undefined): Record<string, string> {
  if (token === undefined) return {};
  return {
    authorization: auth === "bearer" ? `Bearer ${token}` : `Basic ${Buffer.from(token).toString("base64")}`,
  };
}

/**
 * With an expired token Jira goes on as for a stranger, who is told that no ticket exists: that answer
 * must not reject everybody's writes.
 */
function isSignedIn({ headers }: JsonAnswer): boolean {
  return !/^AUTHENTICAT\w+_(FAILED|DENIED)$|^OUT$/.test(headers.get("x-seraph-loginreason") ?? "");
}

/** A 404 of Jira's own says so; one of a proxy or of a wrong URL tells nothing about the ticket. */
function isErrorOfJira(body: unknown): boolean {
  return z.object({ errorMessages: z.array(z.string()).min(1) }).safeParse(body).success;
}

/** The patterns behind the prefix, in a list of labels or in one text; undefined when it is neither. */
function scopeOf(value: unknown, prefix: string): readonly Pattern[] | undefined {
  if (value === undefined || value === null) return [];
  const labels = z
    .union([z.array(z.string()), z.string().transform((text) => text.split(/[\s,;]+/))])
    .safeParse(value);
  if (!labels.success) return undefined;
  return labels.data
    .filter((label) => label.toLowerCase().startsWith(prefix.toLowerCase()))
    .map((label) => parsePattern(label.slice(prefix.length)));
}

/** A date holds to its end in UTC, a time to itself; undefined when it is neither. */
function expiryOf(value: unknown): { readonly micros: number | undefined } | undefined {
  if (value === undefined || value === null || value === "") return { micros: undefined };
  if (typeof value !== "string") return undefined;
  const micros = endOfDayMicros(value) ?? microsOfTime(value);
  return micros === undefined ? undefined : { micros };
}
