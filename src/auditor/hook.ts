import type { Logger } from "pino";
import { parseJson } from "../exact/parseJson.ts";
import { auditorBotId } from "./report.ts";
import type { MaskedWrite } from "./secrets/masking.ts";

/** AUDIT_HOOK_FIRED (spec 002 §16, R26): the one record of the log that has values, for developers. */
export function hookFired(write: MaskedWrite, log: Logger): void {
  if (!log.isLevelEnabled("debug")) return;
  const parsed = (value: { readonly text: string } | null): unknown =>
    value === null ? undefined : parseJson(value.text);
  log.debug(
    {
      bot_id: auditorBotId,
      event_type: "AUDIT_HOOK_FIRED",
      audited_bot: write.botSlug,
      param_name: write.paramName,
      diff: { old: parsed(write.oldValue), new: parsed(write.newValue) },
    },
    "a configuration write is about to happen",
  );
}
