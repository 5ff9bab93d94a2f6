import { createHmac } from "node:crypto";
import { textOfMicros } from "../time.ts";
import { type Alert, alertKinds, identityOf, summaryOf } from "./alert.ts";
import { secretLine, webhookKey } from "./secretFile.ts";
import type { ReceiverSettings } from "./settings.ts";

/** Somebody who is told of alerts. */
export type Receiver = {
  readonly name: string;
  /** Why it could not be told, or undefined when it was. Never throws, and takes no longer than its time. */
  deliver(alert: Alert, closing: AbortSignal): Promise<Failed | undefined>;
};

/** `status`: it answered something else than 2xx. */
export type Failed =
  | { readonly why: "timeout" | "network" }
  | { readonly why: "status"; readonly status: number };

export type ReceiverSurroundings = {
  readonly runbooks: string;
  readonly nowMs: () => number;
  /** What one attempt may take. */
  readonly timeoutMs: number;
};

/** An alert stays in Alertmanager for this long after it was told: it is an event, and nothing ends it. */
const firingMs = 60 * 60 * 1000;

/** Gets a receiver ready, with the secret that its file holds now. Throws a StartupError for the file. */
export function createReceiver(
  settings: ReceiverSettings,
  surroundings: ReceiverSurroundings,
): { readonly receiver: Receiver; readonly secret: string } {
  const { name } = settings;
  const { nowMs, timeoutMs, runbooks } = surroundings;
  const setting = `alerts.receivers.${name}`;
  if (settings.kind === "alertmanager") {
    const { token_file: tokenFile } = settings;
    const token = tokenFile === undefined ? "" : secretLine(`${setting}.token_file`, tokenFile);
    const url = `${settings.url.replace(/\/+$/, "")}/api/v2/alerts`;
    const headers = token === "" ? {} : { authorization: `Bearer ${token}` };
    const receiver: Receiver = {
      name,
      deliver: (alert, closing) =>
        post(url, headers, JSON.stringify([postable(alert, runbooks, nowMs())]), timeoutMs, closing),
    };
    return { receiver, secret: token };
  }
  const key = webhookKey(`${setting}.key_file`, settings.key_file);
  const receiver: Receiver = {
    name,
    deliver(alert, closing) {
      const body = JSON.stringify(payload(alert, runbooks));
      const headers = signature(key, identityOf(alert), Math.floor(nowMs() / 1000), body);
      return post(settings.url, headers, body, timeoutMs, closing);
    },
  };
  return { receiver, secret: key.toString("base64") };
}

/** As Alertmanager takes it. Its labels are the same in every repeat: they make it one alert there. */
function postable(alert: Alert, runbooks: string, nowMs: number) {
  const { reasonCode, facts, atMicros } = alert;
  const { severity } = alertKinds[reasonCode];
  return {
    labels: { alertname: reasonCode, service: "polytraders-governance", severity, ...facts },
    annotations: { summary: summaryOf(alert), runbook_url: runbookOf(alert, runbooks) },
    startsAt: textOfMicros(atMicros),
    endsAt: new Date(nowMs + firingMs).toISOString(),
  };
}

/** What a webhook is posted. */
function payload(alert: Alert, runbooks: string) {
  const { reasonCode, key, facts, atMicros } = alert;
  return {
    reason_code: reasonCode,
    severity: alertKinds[reasonCode].severity,
    dedupe_key: key,
    occurred_at: textOfMicros(atMicros),
    ...facts,
    summary: summaryOf(alert),
    runbook_url: runbookOf(alert, runbooks),
  };
}

function runbookOf({ reasonCode }: Alert, runbooks: string): string {
  return `${runbooks}#${alertKinds[reasonCode].runbook}`;
}

/** The headers of Standard Webhooks, for whose check there are libraries in many languages. */
export function signature(key: Buffer, id: string, timestampSeconds: number, body: string) {
  const mac = createHmac("sha256", key).update(`${id}.${timestampSeconds}.${body}`).digest("base64");
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestampSeconds),
    "webhook-signature": `v1,${mac}`,
  };
}

/** Redirects are not followed: what is told must not travel where nobody configured it to. */
async function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  withinMs: number,
  closing: AbortSignal,
): Promise<Failed | undefined> {
  const overdue = AbortSignal.timeout(withinMs);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
      redirect: "manual",
      signal: AbortSignal.any([overdue, closing]),
    });
    await response.body?.cancel();
    return response.ok ? undefined : { why: "status", status: response.status };
  } catch {
    return { why: overdue.aborted ? "timeout" : "network" };
  }
}
