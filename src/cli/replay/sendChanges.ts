import {
  type CheckWriteResponse,
  Durability,
  Verdict,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { nameKey } from "../../auditor/tiers.ts";
import { callFailure } from "../connection/failure.ts";
import { parameterChange, type WriteFields } from "../rows/parameterChange.ts";
import { isWorthRetrying, pause, triesMax } from "./retry.ts";
import { type Row, withProblem } from "./rows.ts";
import type { Sending } from "./sendActions.ts";
import { Slots } from "./slots.ts";

/** As many as the gate is made for (spec 002 §21). */
const inFlightMax = 50;

const timeoutMs = 10_000;

/** What is wrong with every row alike: going on would only repeat it. */
const hopeless: ReadonlySet<string> = new Set([
  "TOKEN_INVALID",
  "TOKEN_EXPIRED",
  "ROLE_NOT_ALLOWED",
  "NOT_SERVED",
  "Unauthenticated",
  "PermissionDenied",
  "Unimplemented",
]);

/**
 * Asks CheckWrite about each row, 50 at a time, those of one parameter one after the other in the order of
 * the file. The write_id is the file's name and the line ("aave.jsonl.gz:17"), so a row that is sent again
 * gets its recorded answer. Rows are in the token's name: replay again with the same subject.
 */
export async function sendChanges(rows: AsyncIterable<Row>, sending: Sending): Promise<void> {
  const { tally } = sending;
  const ask = createAsk(sending);
  const slots = new Slots(inFlightMax);
  const lastOfParameter = new Map<string, Promise<void>>();
  let failure: { readonly cause: unknown } | undefined;

  async function send(line: number, write: WriteFields, before: Promise<void> | undefined): Promise<void> {
    await before;
    try {
      if (failure === undefined) await ask(line, write);
    } catch (cause) {
      failure ??= { cause };
    } finally {
      slots.release();
      sending.onAnswer();
    }
  }

  async function sendAll(): Promise<void> {
    for await (const row of rows) {
      const write = writeOf(row, sending.name);
      if (typeof write === "string") {
        tally.refuse({ line: row.number, reason: "BAD_ROW", message: write });
        continue;
      }
      await slots.take();
      if (failure !== undefined) return;
      const parameter = `${nameKey(write.botSlug)}\0${nameKey(write.paramName)}`;
      const sent = send(row.number, write, lastOfParameter.get(parameter));
      lastOfParameter.set(parameter, sent);
      void sent.then(() => {
        if (lastOfParameter.get(parameter) === sent) lastOfParameter.delete(parameter);
      });
    }
  }

  try {
    await sendAll();
  } finally {
    await Promise.all(lastOfParameter.values());
  }
  if (failure !== undefined) throw failure.cause;
}

function writeOf(row: Row, name: string): WriteFields | string {
  if (row.kind === "bad") return row.problem;
  return withProblem(() => parameterChange(row.object, `${name}:${row.number}`));
}

/** Asks about one row, until it is recorded or refused, and counts it. Throws when going on makes no sense. */
function createAsk({
  connection,
  tally,
  stop,
}: Sending): (line: number, write: WriteFields) => Promise<void> {
  const auditor = connection.client(ParameterChangeAuditorService);
  let hasAnswered = false;

  return async (line, write) => {
    for (let tries = 1; ; tries++) {
      const isLast = tries === triesMax;
      try {
        const response = await auditor.checkWrite(write, { timeoutMs });
        hasAnswered = true;
        if (response.durability !== Durability.NOT_RECORDED) {
          tally.sent++;
          count(response);
          return;
        }
        if (isLast) return refuse("NOT_RECORDED", "the verdict was given, and could not be recorded");
      } catch (cause) {
        const failure = callFailure(cause);
        const isRowsOwn =
          failure?.kind === "refused" && !failure.isTransient && !hopeless.has(failure.reason);
        if (isRowsOwn) return refuse(failure.reason, failure.message);
        if (isLast || !isWorthRetrying(cause, hasAnswered)) throw cause;
      }
      await pause(tries, stop);
    }

    function refuse(reason: string, message: string): void {
      hasAnswered = true;
      tally.sent++;
      tally.refuse({ line, reason, message });
    }
  };

  function count(response: CheckWriteResponse): void {
    if (response.replayed) tally.duplicates++;
    else tally.recorded++;
    if (response.durability === Durability.BUFFERED) tally.buffered++;
    if (response.verdict === Verdict.REJECT) tally.rejected++;
  }
}
