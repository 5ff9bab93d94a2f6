import type pg from "pg";
import { textArray, timestamptzArray } from "../../db/binaryArrays.ts";

/** A live value that is not the recorded one, on its way into the audit log. */
export type DriftRow = {
  readonly recordId: string;
  readonly acceptedMicros: number;
  readonly botSlug: string;
  readonly paramName: string;
  /** The names as they compare (R24). */
  readonly botKey: string;
  readonly paramKey: string;
  readonly environment: string | null;
  /** The subject of the token that compared. */
  readonly recordedBy: string;
  /** The decision that the recorded value is from; null where there is none. */
  readonly decisionId: string | null;
  readonly recordedText: string | null;
  readonly liveText: string | null;
};

/** Records drifts in one statement. */
export async function appendDrifts(
  client: pg.Client,
  rows: readonly DriftRow[],
): Promise<readonly undefined[]> {
  const texts = (pick: (row: DriftRow) => string | null) => textArray(rows.map(pick));
  await client.query({
    name: "auditor.drifts",
    text: `insert into auditor.config_drift (epoch, ord, accepted_at, record_id, bot_slug, param_name, bot_key,
             param_key, environment, recorded_by, decision_id, recorded_json, live_json)
           select log.current_epoch(), nth - 1, accepted_at, record_id, bot_slug, param_name, bot_key,
             param_key, environment, recorded_by, decision_id, recorded_json, live_json
           from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
             $8::text[], $9::text[], $10::text[], $11::text[])
             with ordinality as i (accepted_at, record_id, bot_slug, param_name, bot_key, param_key, environment,
               recorded_by, decision_id, recorded_json, live_json, nth)`,
    values: [
      timestamptzArray(rows.map((row) => row.acceptedMicros)),
      texts((row) => row.recordId),
      texts((row) => row.botSlug),
      texts((row) => row.paramName),
      texts((row) => row.botKey),
      texts((row) => row.paramKey),
      texts((row) => row.environment),
      texts((row) => row.recordedBy),
      texts((row) => row.decisionId),
      texts((row) => row.recordedText),
      texts((row) => row.liveText),
    ],
  });
  return rows.map(() => undefined);
}
