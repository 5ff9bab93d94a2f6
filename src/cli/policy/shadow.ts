import { Command } from "commander";
import { connected } from "../connection/connection.ts";
import { addConnectionOptions, type ConnectionOptions } from "../connection/options.ts";
import { count } from "../output/count.ts";
import { print, printLine } from "../output/stdout.ts";
import { type Column, createTable } from "../output/table.ts";
import { timeOption } from "../values.ts";
import { type Counted, createCounts } from "./counts.ts";
import { type PastDecision, readHistory } from "./history.ts";

type ShadowOptions = ConnectionOptions & {
  readonly since?: ReturnType<typeof timeOption>;
  readonly json?: true;
};

type Key = readonly [bot: string, param: string, editor: string, reasonCode: string];
type Row = Counted<Key> & { readonly writes: number };

export function policyShadowCommand(): Command {
  const command = new Command("shadow")
    .description("Show what enforce would have rejected of the writes that were let through in shadow_only.")
    .option("--since <time>", "accepted at or after, e.g. 2026-05-09 (default: all)", timeOption)
    .optionsGroup("Output:")
    .option("--json", "one bot, parameter, editor and reason a line, as JSON; the last line is the summary")
    .action(shadow);
  return addConnectionOptions(command, "compliance").addHelpText(
    "after",
    `
SHARE is of all writes of that editor to that parameter in shadow_only. Verdicts are those that were recorded,
each by the policy of its time; policy replay tells what another one would say of the same writes.

Example:
  governance policy shadow --since 2026-05-01`,
  );
}

async function shadow(options: ShadowOptions): Promise<void> {
  const seen = { writes: 0, in_shadow_only: 0, rejected: 0, ungated: 0 };
  const rejected = createCounts<Key>();
  const all = createCounts<readonly [bot: string, param: string, editor: string]>();
  const take = (past: PastDecision) => {
    seen.writes++;
    if (past.reasonCode === "UNGATED_WRITE") seen.ungated++;
    else if (past.mode === "SHADOW_ONLY") {
      seen.in_shadow_only++;
      const { botSlug, paramName, editorId, reasonCode, changedAt } = past;
      all.add([botSlug, paramName, editorId], changedAt);
      if (past.verdict !== "REJECT") return;
      seen.rejected++;
      rejected.add([botSlug, paramName, editorId, reasonCode], changedAt);
    }
  };
  await connected(options, "compliance", (connection) =>
    readHistory(
      connection,
      { ...(options.since === undefined ? {} : { from: options.since }) },
      async (past) => past.forEach(take),
    ),
  );

  const rows = rejected.rows().map((row) => {
    const [bot, param, editor] = row.key;
    return { ...row, writes: all.countOf([bot, param, editor]) };
  });
  if (options.json) {
    for (const row of rows) await printLine(jsonOf(row));
    await printLine(JSON.stringify({ summary: { ...seen, omitted: rejected.omitted() } }));
    return;
  }
  if (rows.length > 0) {
    await print(createTable(columns, process.stdout.columns ?? Number.POSITIVE_INFINITY)(rows));
    await printLine("");
  }
  if (rejected.omitted() > 0) await printLine(`${count(rejected.omitted())} more are not in the table`);
  await printLine(
    `enforce would have rejected ${count(seen.rejected)} of ${count(seen.in_shadow_only)} writes in shadow_only (${share(seen.rejected, seen.in_shadow_only)}); ${count(seen.writes)} writes in all, ${count(seen.ungated)} of them without a verdict`,
  );
}

function jsonOf({ key: [audited_bot, param_name, editor_id, reason_code], ...row }: Row): string {
  const { count: rejectedCount, writes, first, last } = row;
  return JSON.stringify({
    audited_bot,
    param_name,
    editor_id,
    reason_code,
    rejected: rejectedCount,
    writes,
    share: writes === 0 ? null : rejectedCount / writes,
    first,
    last,
  });
}

/** "12.5 %"; of nothing, "-". */
function share(part: number, whole: number): string {
  return whole === 0 ? "-" : `${((part / whole) * 100).toFixed(1)} %`;
}

const columns: readonly Column<Row>[] = [
  { title: "BOT", maxWidth: 28, text: ({ key }) => key[0] },
  { title: "PARAMETER", maxWidth: 48, text: ({ key }) => key[1] },
  { title: "EDITOR", maxWidth: 28, text: ({ key }) => key[2] },
  { title: "REJECTED", maxWidth: 12, text: (row) => count(row.count) },
  { title: "SHARE", maxWidth: 7, text: (row) => share(row.count, row.writes) },
  { title: "FIRST", maxWidth: 27, text: (row) => row.first },
  { title: "LAST", maxWidth: 27, text: (row) => row.last },
  { title: "REASON", maxWidth: 32, text: ({ key }) => key[3] },
];
