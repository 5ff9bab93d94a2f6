import type { JsMsg } from "@nats-io/jetstream";
import type { Logger } from "pino";
import type { Failure } from "../server/failure.ts";
import type { Link } from "./connection.ts";
import { contentTypeOf } from "./decode.ts";
import type { BusSettings } from "./settings.ts";
import { lookAtStream, type StreamState } from "./streams.ts";

/** Puts what cannot be recorded where people find it. */
export type DeadLetters = {
  /** Resolves once the bus has it. Rejects when the bus does not answer: the same again folds. */
  send(message: JsMsg, failure: Failure): Promise<void>;
};

/** What headers take, at most. */
const headersMaxBytes = 8 * 1024;
const headerMaxLength = 1_000;

/**
 * The dead letters of one stream. Their id is the message's place in it, so one that is sent again after a crash
 * folds. Without a stream for them the message is named in the log, where it lies and why, and its neighbours go on.
 */
export async function openDeadLetters(
  link: Link,
  from: StreamState,
  settings: BusSettings,
  log: Logger,
): Promise<DeadLetters> {
  const { stream, subject } = settings.deadLetters;
  const isThere = await lookAtStream(link, stream, settings).then(
    () => true,
    (cause: unknown) => {
      if (link.ended.aborted) throw cause;
      log.error({ stream }, "there is no stream for dead letters: what cannot be recorded is only logged");
      return false;
    },
  );

  return {
    async send(message, failure) {
      const { reason, field } = failure;
      const facts = { stream: from.name, sequence: message.seq, reason, field };
      if (!isThere) return log.error(facts, "a message of the bus was refused, and there is no place for it");
      log.debug(facts, "a message of the bus was refused");
      const headers = link.newHeaders();
      const body = message.data.subarray(0, Math.max(0, link.maxPayloadBytes - headersMaxBytes));
      // Of the message's own headers only what tells how to read it: others may hold credentials.
      const told = {
        "content-type": contentTypeOf(message),
        "governance-reason": reason,
        "governance-field": field ?? "",
        "governance-message": failure.message,
        "governance-stream": from.name,
        "governance-sequence": String(message.seq),
        "governance-subject": message.subject,
        "governance-time": message.timestamp,
        "governance-cut": body.byteLength < message.data.byteLength ? "true" : "",
      };
      for (const [name, value] of Object.entries(told)) {
        if (value !== "") headers.set(name, oneLine(value));
      }
      await link.js.publish(subject, body, {
        headers,
        msgID: `${from.name} ${from.created} ${message.seq}`,
        expect: { streamName: stream },
      });
    },
  };
}

/** Names in it may be anybody's text. */
function oneLine(text: string): string {
  return text.slice(0, headerMaxLength).replaceAll(/[^\x20-\x7e]/g, "?");
}
