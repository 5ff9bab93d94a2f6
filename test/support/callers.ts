import type { DescService } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { ParameterChangeAuditorService } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { UserActivityLedgerService } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import type { Role } from "../../src/server/access.ts";
import type { Protocol, TestService } from "./service.ts";

export type LedgerClient = Client<typeof UserActivityLedgerService>;
export type AuditorClient = Client<typeof ParameterChangeAuditorService>;

type Caller = { readonly subject?: string; readonly wallet?: string; readonly protocol?: Protocol };

/** Long enough for a service whose clock a test has set to another year. */
const ttlSeconds = 50 * 366 * 86_400;

/** A client of the ledger with a token of one role. */
export function ledgerAs(service: TestService, role: Role, caller: Caller = {}): Promise<LedgerClient> {
  return clientAs(UserActivityLedgerService, service, role, caller);
}

/** A client of the auditor with a token of one role. */
export function auditorAs(service: TestService, role: Role, caller: Caller = {}): Promise<AuditorClient> {
  return clientAs(ParameterChangeAuditorService, service, role, caller);
}

async function clientAs<S extends DescService>(
  definition: S,
  service: TestService,
  role: Role,
  { subject, wallet, protocol }: Caller,
): Promise<Client<S>> {
  const token = await service.token({
    roles: [role],
    ttlSeconds: role === "break-glass" ? 3600 : ttlSeconds,
    ...(subject === undefined ? {} : { subject }),
    ...(wallet === undefined ? {} : { wallet }),
  });
  return service.client(definition, token, protocol);
}

/** Posts a JSON body as it stands to the HTTP listener, and gives the answer as it stands. */
export async function postJson(
  service: TestService,
  role: Role,
  method: string,
  body: string,
): Promise<{ status: number; body: unknown }> {
  const token = await service.token({ roles: [role], ttlSeconds });
  const response = await fetch(`http://127.0.0.1:${service.httpPort}/polytraders.governance.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body,
  });
  return { status: response.status, body: await response.json() };
}
