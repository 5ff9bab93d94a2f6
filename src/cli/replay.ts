import { statSync } from "node:fs";
import { basename } from "node:path";
import { Command, Option } from "commander";
import { type Connection, connected } from "./connection/connection.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection/options.ts";
import { errorCode } from "./errorCode.ts";
import { CliError, exitCodes } from "./exitCodes.ts";
import { shown } from "./output/cell.ts";
import { count } from "./output/count.ts";
import { createProgress } from "./output/progress.ts";
import { printLine } from "./output/stdout.ts";
import { readLines } from "./replay/lines.ts";
import { type Kind, kindOf, kinds, type Row, readRows } from "./replay/rows.ts";
import { sendActions } from "./replay/sendActions.ts";
import { sendChanges } from "./replay/sendChanges.ts";
import { Tally } from "./replay/tally.ts";
import { stopSignal } from "./signals.ts";

type ReplayOptions = ConnectionOptions & { readonly as?: Kind; readonly json?: true };

export function replayCommand(): Command {
  const command = new Command("replay")
    .description("Send the records of files: user actions and parameter changes, one JSON object a line.")
    .argument("<file...>", ".jsonl or .jsonl.gz")
    .addOption(
      new Option("--as <kind>", "what the files hold (default: what their first row looks like)").choices(
        kinds,
      ),
    )
    .option("--json", "the summary as JSON")
    .action(replay);
  return addConnectionOptions(command, "bot").addHelpText(
    "after",
    `
User actions are rows as spec 001 §11 prints them, or events of AWS CloudTrail: eventID is the event_id,
eventName the action_type (GetUser: GET_USER), requestParameters the params digit for digit, eventTime the
occurred_at; the wallet is 0x and 40 digits of the SHA-256 of the principal, the session principal and day.
Parameter changes are rows of bot_slug, param_name, old_value and new_value (JSON as text), editor_id,
changed_at and ticket_ref; each is asked about with CheckWrite.

To replay a file again is safe and adds nothing: everything is sent again, actions are known by their
event_id, changes by a write_id of file name and line ("aave.jsonl.gz:17"). A write_id belongs to the subject
of the token, so replay again with a token of the same subject, and rename no file.

Exit code 5 when any row was refused; the summary names them.

Example:
  governance replay cloudtrail.jsonl.gz aave.jsonl.gz --json`,
  );
}

async function replay(files: readonly string[], options: ReplayOptions): Promise<void> {
  const stop = stopSignal("stopped; replay again to send the rest");
  const sizes = files.map(sizeOf); // Before anything is sent: a misspelt name is found at once.
  const tallies = files.map((file) => new Tally(file));
  try {
    await connected(options, "bot", async (connection) => {
      for (const [index, tally] of tallies.entries()) {
        await replayFile(connection, { size: sizes[index] ?? 0, as: options.as, tally, stop });
      }
    });
  } catch (cause) {
    // What was recorded before it failed is on record.
    if (tallies.some((tally) => tally.answered > 0)) await summarise(tallies, options);
    throw cause;
  }
  await summarise(tallies, options);
  stop.throwIfAborted();
  if (tallies.some((tally) => tally.refused > 0)) process.exitCode = exitCodes.refused;
}

async function summarise(tallies: readonly Tally[], options: ReplayOptions): Promise<void> {
  if (options.json) await printLine(JSON.stringify({ files: tallies }));
  else for (const tally of tallies) await printLine(tally.toString());
}

function sizeOf(file: string): number {
  try {
    const found = statSync(file);
    if (!found.isDirectory()) return found.size;
  } catch (cause) {
    throw unreadable(file, cause);
  }
  throw new CliError(exitCodes.cannotStart, `${file} is a folder`);
}

type Task = {
  readonly size: number;
  readonly as: Kind | undefined;
  readonly tally: Tally;
  readonly stop: AbortSignal;
};

async function replayFile(connection: Connection, { size, as, tally, stop }: Task): Promise<void> {
  const { file } = tally;
  const name = basename(file);
  const progress = createProgress(shown(name), size, process.stderr);
  let bytesRead = 0;
  const onAnswer = () => progress.update(bytesRead, `${count(tally.answered)} rows`);
  const rows = readRows(
    readLines(file, (bytes) => {
      bytesRead = bytes;
    }),
  );
  try {
    const first = await firstRows(rows, as);
    if (first === undefined) return;
    tally.kind = first.kind;
    const all = until(stop, chained(first.rows, rows));
    const sending = { connection, name, tally, onAnswer, stop };
    if (first.kind === "user-actions") await sendActions(all, sending);
    else await sendChanges(all, sending);
  } catch (cause) {
    throw unreadable(file, cause);
  } finally {
    await rows.return(undefined);
    progress.stop();
  }
}

/** Rows up to the first one that shows what the file holds; undefined when the file has no rows at all. */
async function firstRows(
  rows: AsyncIterator<Row>,
  as: Kind | undefined,
): Promise<{ readonly kind: Kind; readonly rows: readonly Row[] } | undefined> {
  if (as !== undefined) return { kind: as, rows: [] };
  const seen: Row[] = [];
  while (seen.length < 100) {
    const next = await rows.next();
    if (next.done) break;
    seen.push(next.value);
    if (next.value.kind === "bad") continue;
    const kind = kindOf(next.value.object);
    if (kind !== undefined) return { kind, rows: seen };
    break;
  }
  const last = seen.at(-1);
  if (last === undefined) return undefined;
  const why = last.kind === "bad" ? last.problem : "it is neither a user action nor a parameter change";
  throw new CliError(
    exitCodes.usage,
    `line ${last.number}: ${shown(why)}; say what the file holds with --as`,
  );
}

async function* chained(first: readonly Row[], rest: AsyncIterable<Row>): AsyncGenerator<Row> {
  yield* first;
  yield* rest;
}

/** Stops reading when asked to; what was read is still sent and answered. */
async function* until(stop: AbortSignal, rows: AsyncIterable<Row>): AsyncGenerator<Row> {
  for await (const row of rows) {
    if (stop.aborted) return;
    yield row;
  }
}

function unreadable(file: string, cause: unknown): unknown {
  const code = errorCode(cause);
  if (cause instanceof CliError && cause.exitCode === exitCodes.usage) {
    return new CliError(cause.exitCode, `${shown(file)}: ${cause.message}`, { cause });
  }
  if (code === undefined) return cause;
  const why = code.startsWith("Z_") ? `it is not a whole gzip file, ${code}` : code;
  return new CliError(exitCodes.cannotStart, `${shown(file)} cannot be read (${why})`, { cause });
}
