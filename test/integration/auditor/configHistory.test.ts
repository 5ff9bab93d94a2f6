import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ConfigBasis,
  WriteOutcome,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs } from "../../support/callers.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { answered, configOf, type ModelWrite, nanosOf, timestampOf } from "./configModel.ts";
import { patiently, recordedWrite } from "./patiently.ts";

/** Real histories that nobody here wrote, kept beside the project; where tests have to be complete they must be there. */
const data = new URL("../../../../shared/data/parameter-changes/", import.meta.url);
const hasData = existsSync(data);

type Row = {
  readonly bot_slug: string;
  readonly param_name: string;
  readonly new_value: string | null;
  readonly editor_id: string;
  readonly changed_at: string;
};

/** The rows of each bot, in their order. */
function histories(): Map<string, Row[]> {
  const bots = new Map<string, Row[]>();
  for (const file of ["aave.jsonl.gz", "cosmos.jsonl.gz"]) {
    for (const line of gunzipSync(readFileSync(new URL(file, data)))
      .toString()
      .trimEnd()
      .split("\n")) {
      const row: Row = JSON.parse(line);
      const rows = bots.get(row.bot_slug);
      if (rows === undefined) bots.set(row.bot_slug, [row]);
      else rows.push(row);
    }
  }
  return bots;
}

/** Works on all items, so many at a time. */
async function eachOf<T>(
  items: Iterable<T>,
  atATime: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  await Promise.all(
    Array.from({ length: atATime }, async () => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
    }),
  );
}

describe.skipIf(!hasData && !process.env.CI)("the real histories", () => {
  let service: TestService;
  let store: AuditorClient;
  let reader: AuditorClient;
  beforeAll(async () => {
    service = await startTestService();
    store = await auditorAs(service, "config-store");
    reader = await auditorAs(service, "compliance");
  });
  afterAll(() => service[Symbol.asyncDispose]());

  test("every change replayed, each bot has the model's configuration at the end and at times in between", async () => {
    const models = new Map<string, ModelWrite[]>();
    let count = 0;
    await eachOf(histories(), 24, async ([bot, rows]) => {
      const model: ModelWrite[] = [];
      models.set(bot, model);
      for (const row of rows) {
        const changedNs = BigInt(Date.parse(row.changed_at)) * 1_000_000n;
        const value = row.new_value ?? undefined;
        const nth = ++count;
        const { decisionId, report } = await recordedWrite(store, {
          writeId: `history ${nth}`,
          botSlug: bot,
          paramName: row.param_name,
          editorId: row.editor_id,
          // Some claim no time, so that both kinds of time are in one history.
          ...(nth % 5 === 0 ? {} : { changedAt: timestampOf(changedNs) }),
          ...(value === undefined ? {} : { newValueJson: value }),
        });
        // Of ten writes two are confirmed and one was never made.
        const outcome = ({ 1: "APPLIED", 4: "APPLIED", 7: "ABORTED" } as const)[nth % 10];
        if (outcome !== undefined) {
          await patiently(() => store.confirmWrite({ decisionId, outcome: WriteOutcome[outcome] }));
        }
        model.push({
          bot,
          param: row.param_name,
          value,
          allowed: true,
          ungated: false,
          acceptedNs: nanosOf(report?.changedAt),
          changedNs: nth % 5 === 0 ? undefined : changedNs,
          decisionId,
          outcome,
        });
      }
    });
    expect(count).toBe(10_000);

    const afterAllNs = BigInt(Date.now() + 60_000) * 1_000_000n;
    let compared = 0;
    // A quarter of the bots at a time in between too.
    const sampled = new Set([...models.keys()].filter((_, i) => i % 4 === 0));
    await eachOf(models, 24, async ([bot, model]) => {
      const middle = model[model.length >> 1];
      for (const basis of ["ACCEPTED", "CHANGED"] as const) {
        const middleNs =
          basis === "ACCEPTED" ? middle?.acceptedNs : (middle?.changedNs ?? middle?.acceptedNs);
        for (const throughNs of sampled.has(bot) ? [afterAllNs, middleNs ?? 0n] : [afterAllNs]) {
          const question = { botSlug: bot, basis: ConfigBasis[basis], time: timestampOf(throughNs) };
          const { values } = await patiently(() => reader.getConfigAsOf(question));
          expect(answered(values), `${bot} ${basis} ${throughNs}`).toEqual(
            configOf(model, {
              bot,
              basis,
              throughNs,
            }),
          );
          compared += values.length;
        }
      }
    });
    expect(compared).toBeGreaterThan(10_000);
  }, 180_000);
});
