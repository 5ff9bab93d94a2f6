import { z } from "zod";

const name = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,62}$/, "must be a short name of a-z, 0-9, _ and -, e.g. pager");

const url = z
  .url({ protocol: /^https?$/, error: "must be an http(s) URL" })
  .refine((text) => URL.parse(text)?.username === "" && URL.parse(text)?.password === "", {
    message: "must not hold a user or a password",
  });

const alertmanager = z.strictObject({
  kind: z.literal("alertmanager"),
  /** Under which delivery is noted: another name is another receiver. */
  name,
  /** Where its pages begin; /api/v2/alerts is added. */
  url,
  /** A file whose only line is a bearer token, where something before it asks for one. */
  token_file: z.string().min(1).optional(),
});

const webhook = z.strictObject({
  kind: z.literal("webhook"),
  name,
  url,
  /** A file whose only line is the key of the signatures. */
  key_file: z.string().min(1),
});

const receiver = z.discriminatedUnion("kind", [alertmanager, webhook], {
  error: (issue) => (issue.code === "invalid_union" ? "must be alertmanager or webhook" : undefined),
});

/** The config file's key `alerts`: who is told, and where the runbooks are that they are pointed to. */
export const alertSettings = z.strictObject({
  runbooks: z.string().min(1).default("docs/runbooks.md"),
  receivers: z
    .array(receiver)
    .max(8)
    .default([])
    .refine((all) => new Set(all.map((each) => each.name)).size === all.length, {
      message: "each receiver needs a name of its own",
    }),
});

export type AlertSettings = z.infer<typeof alertSettings>;
export type ReceiverSettings = AlertSettings["receivers"][number];
