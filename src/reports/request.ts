import type { StreamReportsRequest } from "../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import { nameKey } from "../auditor/tiers.ts";
import { walletOrIdentity } from "../ledger/identity.ts";
import { optionalText } from "../server/bounds.ts";
import { invalidField } from "../server/failure.ts";
import { type Item, type Topic, topics } from "./item.ts";
import { allParts, type ReportPlace } from "./place.ts";

/** Which reports a reader asks for; null does not restrict. */
export type ReportFilters = {
  readonly topic: Topic | null;
  readonly eventTypes: readonly string[] | null;
  readonly bot: string | null;
  /** In lower case. */
  readonly wallet: string | null;
};

/** Where a reader begins. Epoch 0: the log's own. */
export type Start =
  | { readonly kind: "beginning" }
  | { readonly kind: "now" }
  | { readonly kind: "after"; readonly place: ReportPlace };

const eventTypesMax = 100;
const eventTypeMaxBytes = 64;
const botMaxBytes = 256;
const progressMaxSeconds = 3_600;

/** The filters, every one inside its bound. Throws INVALID_FIELD. */
export function parseFilters(request: StreamReportsRequest): ReportFilters {
  if (request.eventTypes.length > eventTypesMax) {
    throw invalidField("event_types", `has more than ${eventTypesMax} values`);
  }
  const eventTypes = request.eventTypes.map((eventType, i) => {
    const text = optionalText(`event_types[${i}]`, eventType, eventTypeMaxBytes);
    if (text === null) throw invalidField(`event_types[${i}]`, "is empty");
    return text;
  });
  return {
    topic: request.topic === "" ? null : topicOf(request.topic),
    eventTypes: eventTypes.length === 0 ? null : eventTypes,
    bot: optionalText("bot", request.bot, botMaxBytes),
    wallet: request.wallet === "" ? null : walletOrIdentity("wallet", request.wallet),
  };
}

function topicOf(text: string): Topic {
  const topic = topics.find((one) => one === text);
  if (topic === undefined) throw invalidField("topic", `must be ${topics.join(" or ")}`);
  return topic;
}

/** Where to begin. Throws INVALID_FIELD. */
export function parseStart(request: StreamReportsRequest): Start {
  const { after, fromNow } = request;
  if (after === undefined) return { kind: fromNow ? "now" : "beginning" };
  if (fromNow) throw invalidField("from_now", "does not go with after: give one of them");
  if (after.position < 0n || after.position > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw invalidField("after.position", "must be a position of the log, from 0");
  }
  if (after.part < 0) throw invalidField("after.part", "must be 0 or more");
  if (after.epoch === 0n && after.position === 0n) return { kind: "beginning" };
  if (after.epoch < 1n || after.epoch > 2n ** 31n - 1n) {
    throw invalidField("after.epoch", "must be an epoch of the log, from 1");
  }
  const part = after.position === 0n ? allParts : Math.min(after.part, allParts);
  return {
    kind: "after",
    place: { epoch: Number(after.epoch), position: Number(after.position), part },
  };
}

/** How long nothing is sent at most, milliseconds. Throws INVALID_FIELD. */
export function parseProgress({ progressSeconds }: StreamReportsRequest): number | undefined {
  if (progressSeconds === 0) return undefined;
  if (progressSeconds < 1 || progressSeconds > progressMaxSeconds) {
    throw invalidField("progress_seconds", `must be 1 to ${progressMaxSeconds}, or 0 for none`);
  }
  return progressSeconds * 1000;
}

/** Whether a reader with these filters gets the item. */
export function matcher(filters: ReportFilters): (item: Item) => boolean {
  const { topic, wallet } = filters;
  const eventTypes = filters.eventTypes === null ? null : new Set(filters.eventTypes);
  const botKey = filters.bot === null ? null : nameKey(filters.bot);
  return (item) => {
    if (topic !== null && item.topic !== topic) return false;
    if (item.filtered === undefined) return true;
    return (
      (eventTypes === null || eventTypes.has(item.filtered.eventType)) &&
      (botKey === null || item.filtered.botKeys.includes(botKey)) &&
      (wallet === null || item.filtered.wallet === wallet)
    );
  };
}
