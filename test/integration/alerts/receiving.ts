import { createHmac, timingSafeEqual } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { z } from "zod";
import type { TestDatabase } from "../../support/database.ts";
import { startTicketServer, type TicketRequest } from "../../support/ticketServer.ts";

const key = "aSHORTtestKEYofTHIRTYtwoBYTESxx=".repeat(2).replaceAll("=", "A");

const told = z.looseObject({
  reason_code: z.string(),
  severity: z.string(),
  dedupe_key: z.string(),
  decision_id: z.string().optional(),
  runbook_url: z.string(),
});
export type Told = z.infer<typeof told>;

/** Short pauses, so that a test need not wait for those of an operator. */
export const quickly = {
  alertsEveryMs: 100,
  alertTimeoutMs: 1_000,
  alertRetryMinMs: 50,
  alertRetryMaxMs: 200,
} as const;

/** A real HTTP server that alerts are posted to, and the part of a config file that names it. */
export async function startReceiver(folder: string) {
  const server = await startTicketServer();
  const keyFile = join(folder, "webhook.key");
  await writeFile(keyFile, `whsec_${key}\n`);
  const refused = new Set<TicketRequest>();
  const taking = (request: TicketRequest) => !refused.has(request);
  server.answer(200, {});
  return {
    server,
    config: `alerts: { receivers: [{ kind: webhook, name: pager, url: "${server.url}/hook", key_file: ${keyFile} }] }\n`,
    /** What it took, in order. */
    taken: (): Told[] =>
      server.requests.filter(taking).map((request) => {
        checkSignature(request);
        return told.parse(JSON.parse(request.body));
      }),
    /** Misbehaves towards every request from now on, or those with the text. */
    refuse(how: Parameters<typeof server.behave>[0], text = "") {
      server.behave((request, response, socket) => {
        if (!request.body.includes(text)) return void response.writeHead(204).end();
        refused.add(request);
        how(request, response, socket);
      });
    },
    /** Takes what comes from now on. */
    take: () => server.answer(200, {}),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** As its receiver checks it, by the words of Standard Webhooks. */
function checkSignature({ headers, body }: TicketRequest): void {
  const mac = createHmac("sha256", Buffer.from(key, "base64"))
    .update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`)
    .digest("base64");
  const sent = Buffer.from(`${headers["webhook-signature"]}`);
  expect(timingSafeEqual(sent, Buffer.from(`v1,${mac}`))).toBe(true);
  expect(Math.abs(Date.now() / 1000 - Number(headers["webhook-timestamp"]))).toBeLessThan(60);
}

/** Waits until the condition holds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const startedMs = performance.now();
  while (!(await holds())) {
    expect(performance.now() - startedMs, what).toBeLessThan(25_000);
    await sleep(25);
  }
}

/** Waits until the log was looked through to its end, and each alert in it was delivered. */
export async function lookedThrough(database: TestDatabase): Promise<void> {
  await until("the log is looked through", async () => {
    const [row] = await database.query<{ done: boolean }>(
      "superuser",
      `select exists (select from log.alert_cursor c, log.state s where c.epoch = s.epoch
         and c.position = s.next_position - 1 and not exists (select from log.written)) as done`,
    );
    return row?.done === true;
  });
}

/** The reason codes and keys of what was told, in an order of their own. */
export function names(all: readonly Told[]): string[] {
  return all.map(({ reason_code: code, dedupe_key: id }) => `${code} ${id}`).toSorted();
}
