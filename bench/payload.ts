import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { GetBotConfigRequestSchema } from "../gen/ts/polytraders/governance/v1/bot_config_pb.ts";
import { CheckWriteRequestSchema } from "../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import {
  RecordUserActionRequestSchema,
  StreamUserActionsRequestSchema,
  type UserActionSchema,
} from "../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { createTemplateBuilder, type Template } from "./load/template.ts";

/** The users, and the sessions, among whom the actions of a run are spread. */
export const wallets = 1_000;
export const sessions = 10_000;

/** The parameters of every action, as JSON text. */
export const paramsJson = '{"strategy":"sports-model","max_stake_pusd":250,"markets":["epl","nba"]}';

type Builder = ReturnType<typeof createTemplateBuilder>;

// Spec 001 §11 with parameters of a usual size. Ids are random like UUIDs, in our runs as in the peers'.
function action(builder: Builder): MessageInitShape<typeof UserActionSchema> {
  return {
    eventId: builder.unique(),
    wallet: `0x${builder.pick(40, wallets)}`,
    sessionId: `sess_${builder.pick(8, sessions)}`,
    actionType: "STRATEGY_START",
    paramsJson,
    traceId: builder.unique(),
  };
}

/** One action, for RecordUserAction. */
export function recordUserActionTemplate(): Template {
  const builder = createTemplateBuilder();
  const { $typeName: _, ...fields } = action(builder);
  return builder.build(
    toBinary(RecordUserActionRequestSchema, create(RecordUserActionRequestSchema, fields)),
  );
}

/** The first message of StreamUserActions; every copy is a producer of its own. */
export function openTemplate(): Template {
  const builder = createTemplateBuilder();
  const message = { case: "open" as const, value: { streamId: builder.unique() } };
  return builder.build(
    toBinary(StreamUserActionsRequestSchema, create(StreamUserActionsRequestSchema, { message })),
  );
}

/** A batch for StreamUserActions, and where in it first_offset lies: five bytes. */
export function batchTemplate(events: number): { batch: Template; firstOffsetAt: number } {
  const builder = createTemplateBuilder();
  const actions = Array.from({ length: events }, () => action(builder));
  // The smallest number whose varint has five bytes.
  const firstOffset = 2n ** 28n;
  const bytes = toBinary(
    StreamUserActionsRequestSchema,
    create(StreamUserActionsRequestSchema, {
      message: { case: "batch", value: { firstOffset, actions } },
    }),
  );
  const varint = Buffer.of(0x80, 0x80, 0x80, 0x80, 0x01);
  return { batch: builder.build(bytes), firstOffsetAt: Buffer.from(bytes).indexOf(varint) };
}

/** A write for CheckWrite: the payload of spec 002 §11, each with a write_id of its own. */
export function checkWriteTemplate(): Template {
  const builder = createTemplateBuilder();
  return builder.build(
    toBinary(
      CheckWriteRequestSchema,
      create(CheckWriteRequestSchema, {
        botSlug: "risk.liquidityguard",
        paramName: "max_position_pusd",
        oldValueJson: "5000",
        newValueJson: "7500",
        editorId: "alice@polytraders",
        ticketRef: "PTRD-1042",
        writeId: builder.unique(),
        traceId: builder.unique(),
      }),
    ),
  );
}

/** A request that touches no store, for GetBotConfig. */
export function getBotConfigTemplate(): Template {
  const request = create(GetBotConfigRequestSchema, { botId: "gov.useractivityledger" });
  return createTemplateBuilder().build(toBinary(GetBotConfigRequestSchema, request));
}
