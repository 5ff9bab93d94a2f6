import { create } from "@bufbuild/protobuf";
import {
  type StreamUserActionsRequest,
  type StreamUserActionsResponse,
  StreamUserActionsResponseSchema,
  type UserAction,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { CallContext } from "../server/call.ts";
import { parseAction } from "./action.ts";
import type { ActionRow, AppendOutcome } from "./append.ts";
import type { LedgerDependencies } from "./dependencies.ts";
import { createProducerStream, type ProducerMessage } from "./producerStream.ts";
import { actionRow, conflict, withBookmark } from "./storeActions.ts";

/** StreamUserActions: actions in batches, resumed where the producer left off (spec 001 §20). */
export function createActionStream(dependencies: LedgerDependencies) {
  const stream = createProducerStream<UserAction, ActionRow, AppendOutcome>(
    {
      kind: "a",
      items: "actions",
      journal: dependencies.journal,
      name: (action) => action.eventId,
      row: (action, path, subject) => actionRow(parseAction(action, path), subject, dependencies),
      withBookmark: (row, bookmark) => withBookmark(row, bookmark, dependencies.identities),
      settle(row, outcome) {
        if (outcome.kind === "conflict") return { kind: "refused", failure: conflict(row.action.eventId) };
        if (outcome.kind === "recorded" || outcome.kind === "buffered") dependencies.onRecorded(row);
        return outcome;
      },
    },
    dependencies,
  );

  return async function* (
    requests: AsyncIterable<StreamUserActionsRequest>,
    context: CallContext,
  ): AsyncGenerator<StreamUserActionsResponse> {
    for await (const message of stream(messagesOf(requests), context)) {
      yield create(StreamUserActionsResponseSchema, { message });
    }
  };
}

async function* messagesOf(
  requests: AsyncIterable<StreamUserActionsRequest>,
): AsyncGenerator<ProducerMessage<UserAction>> {
  for await (const { message } of requests) {
    if (message.case === "open") yield { kind: "open", open: message.value };
    else if (message.case === "batch") {
      const { firstOffset, actions: items } = message.value;
      yield { kind: "batch", batch: { firstOffset, items } };
    } else yield { kind: "none" };
  }
}
