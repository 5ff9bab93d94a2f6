import { z } from "zod";
import { tiers } from "../auditor/tiers.ts";

/** What of a call's 400 ms the ticket system may take, at most: the record needs the rest. */
const budgetMaxMs = 300;

const url = z.string().superRefine((text, context) => {
  const problem = urlProblem(text);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
});

function urlProblem(text: string): string | undefined {
  const parsed = URL.parse(text);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) return "must be an http(s) URL";
  if (parsed.username !== "" || parsed.password !== "")
    return "must not hold a user or a password; put the token into token_file";
  if (parsed.hash !== "" || parsed.search !== "") return "must not have a query or a fragment";
  return undefined;
}

const common = {
  url,
  /** A file whose only line is the token; the secret itself is never in the config file. */
  token_file: z.string().min(1).optional(),
  budget_ms: z.int().min(10).max(budgetMaxMs).default(250),
  cache_seconds: z.int().min(0).max(3600).default(60),
  on_ticket_system_down: z.partialRecord(z.enum(tiers), z.enum(["allow", "reject"])).default({}),
};

const fieldName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/, "must be a field's id, e.g. customfield_10042");

const jira = z.strictObject({
  system: z.literal("jira"),
  ...common,
  auth: z.enum(["basic", "bearer"]).default("basic"),
  /** 3 is Jira Cloud, 2 Data Center. */
  api_version: z.union([z.literal(2), z.literal(3)]).default(3),
  /** Keys of the projects whose tickets count; empty: all. */
  projects: z
    .array(z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/, "must be a project's key, e.g. PTRD"))
    .default([]),
  /** Status categories that count as open. */
  open: z
    .array(z.enum(["new", "indeterminate", "done", "undefined"]))
    .min(1)
    .default(["new", "indeterminate"]),
  scope_field: fieldName.default("labels"),
  scope_prefix: z.string().min(1).max(64).regex(/^\S+$/, "must not have spaces").default("param:"),
  /** null: tickets do not expire. */
  expiry_field: z.union([fieldName, z.null()]).default("duedate"),
});

const webhook = z.strictObject({ system: z.literal("webhook"), ...common });

const none = z.strictObject(
  { system: z.undefined().optional() },
  { error: "needs system: jira or webhook, or be empty" },
);

/** The config file's key `tickets`: the ticket system that references are checked with, or none. */
export const ticketSettings = z
  .discriminatedUnion("system", [jira, webhook, none], {
    error: (issue) => (issue.code === "invalid_union" ? "must be jira or webhook" : undefined),
  })
  .superRefine((settings, context) => {
    if (settings.system === undefined || settings.token_file === undefined) return;
    const { protocol, hostname } = new URL(settings.url);
    if (protocol === "https:" || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)) return;
    context.addIssue({
      code: "custom",
      path: ["url"],
      message: "must be https where a token is sent to another machine",
    });
  });

export type TicketSettings = z.infer<typeof ticketSettings>;
export type JiraSettings = Extract<TicketSettings, { system: "jira" }>;
export type WebhookSettings = Extract<TicketSettings, { system: "webhook" }>;
