import type { Logger } from "pino";
import type { Clock } from "../../../src/clock.ts";
import type { Limits } from "../../../src/config.ts";
import { type AuditorClient, auditorAs } from "../../support/callers.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import type { TicketServer } from "../../support/ticketServer.ts";
import { type WriteInit, write } from "../auditor/writes.ts";

/** A P1 write. */
export function capped(ticketRef: string, more: Partial<WriteInit> = {}): WriteInit {
  return write("max_position_pusd", { botSlug: "risk.liquidityguard", ticketRef, ...more });
}

/** A P0 write. */
export function armed(ticketRef: string, more: Partial<WriteInit> = {}): WriteInit {
  return write("armed", { botSlug: "risk.killswitch", ticketRef, newValueJson: "false", ...more });
}

/** The service in enforce with the server as its ticket system; `tickets` adds to that key. */
export async function withTickets(
  server: TicketServer,
  tickets: Record<string, unknown> = {},
  more: {
    env?: NodeJS.ProcessEnv;
    log?: Logger;
    mode?: string;
    limits?: Partial<Limits>;
    clock?: Clock;
    database?: TestService["database"];
  } = {},
): Promise<{ service: TestService; configStore: AuditorClient; compliance: AuditorClient }> {
  const config = JSON.stringify({
    "gov.parameterchangeauditor": { mode: more.mode ?? "enforce" },
    tiers: { "risk.*.max_position_pusd": "P1", "risk.killswitch.*": "P0" },
    stopping: ["risk.killswitch.*=true"],
    tickets: { system: "jira", url: server.url, ...tickets },
  });
  const { env, log, limits, clock, database } = more;
  const service = await startTestService({
    config,
    ...(env === undefined ? {} : { env }),
    ...(log === undefined ? {} : { log }),
    ...(limits === undefined ? {} : { limits }),
    ...(clock === undefined ? {} : { clock }),
    ...(database === undefined ? {} : { database }),
  });
  return {
    service,
    configStore: await auditorAs(service, "config-store"),
    compliance: await auditorAs(service, "compliance"),
  };
}
