import { fromJson, type JsonValue, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import {
  ConfigSource,
  type UpdateBotConfigRequestSchema,
} from "../../../gen/ts/polytraders/governance/v1/bot_config_pb.ts";
import { BotConfigService } from "../../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { enumName } from "../../../src/cli/output/enumName.ts";
import type { Role } from "../../../src/server/access.ts";
import type { TestService } from "../../support/service.ts";

export const ledger = "gov.useractivityledger";
export const auditor = "gov.parameterchangeauditor";

export type ConfigClient = Client<typeof BotConfigService>;

/** A client of the service's own parameters with a token of one role. */
export async function configAs(
  service: TestService,
  role: Role,
  subject = "operator-1",
): Promise<ConfigClient> {
  return service.client(BotConfigService, await service.token({ roles: [role], subject }));
}

type UpdateInit = Extract<MessageInitShape<typeof UpdateBotConfigRequestSchema>, { $typeName?: never }>;

/** A change with a ticket, and whatever a test says differently. */
export function change(
  botId: string,
  paramName: string,
  value: JsonValue,
  more: Partial<UpdateInit> = {},
): UpdateInit {
  return {
    botId,
    paramName,
    value: fromJson(ValueSchema, value),
    editorId: "alice@polytraders",
    ticketRef: "PTRD-1042",
    ...more,
  };
}

/** A parameter's value, and where it comes from. */
export async function parameterOf(
  client: ConfigClient,
  botId: string,
  paramName: string,
): Promise<[value: JsonValue, source: string]> {
  const { parameters } = await client.getBotConfig({ botId });
  const found = parameters.find((parameter) => parameter.paramName === paramName);
  if (found?.value === undefined) throw new Error(`no parameter ${paramName}`);
  return [toJson(ValueSchema, found.value), enumName(ConfigSource, found.source)];
}

/** What is stored, oldest first. */
export function storedRows(service: TestService) {
  return service.database.query<{
    bot_id: string;
    param_name: string;
    value_json: string;
    decision_id: string;
    editor: string;
    claimed_editor_id: string;
  }>(
    "superuser",
    "select bot_id, param_name, value_json, decision_id, editor, claimed_editor_id from maintenance.bot_config order by seq",
  );
}

/** The decisions on record, oldest first. */
export function decisionRows(service: TestService) {
  return service.database.query<{ record_id: string; old_value_json: string; new_value_json: string }>(
    "superuser",
    "select record_id, old_value_json, new_value_json from auditor.parameter_change order by accepted_at, record_id",
  );
}
