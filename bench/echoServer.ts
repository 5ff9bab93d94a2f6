// A bare grpc-js server with the contract's codec and nothing else: no authentication, no validation, no
// metrics, no store. Prints its port; ends with its parent.
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import {
  type GetBotConfigRequest,
  GetBotConfigRequestSchema,
  type GetBotConfigResponse,
  GetBotConfigResponseSchema,
} from "../gen/ts/polytraders/governance/v1/bot_config_pb.ts";
import {
  RecordOutcome,
  type RecordUserActionRequest,
  RecordUserActionRequestSchema,
  type RecordUserActionResponse,
  RecordUserActionResponseSchema,
} from "../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { method } from "./methods.ts";

function definition<Request extends DescMessage, Response extends DescMessage>(
  path: string,
  request: Request,
  response: Response,
) {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: serialize(request),
    requestDeserialize: (bytes: Buffer) => fromBinary(request, bytes),
    responseSerialize: serialize(response),
    responseDeserialize: (bytes: Buffer) => fromBinary(response, bytes),
  };
}

function serialize<Desc extends DescMessage>(schema: Desc): (message: MessageShape<Desc>) => Buffer {
  return (message) => {
    const bytes = toBinary(schema, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

const botConfig = fromBinary(GetBotConfigResponseSchema, Buffer.from(process.argv[2] ?? "", "base64"));

const server = new Server();
server.addService(
  {
    RecordUserAction: definition(
      method.recordUserAction,
      RecordUserActionRequestSchema,
      RecordUserActionResponseSchema,
    ),
    GetBotConfig: definition(method.getBotConfig, GetBotConfigRequestSchema, GetBotConfigResponseSchema),
  },
  {
    RecordUserAction(
      call: ServerUnaryCall<RecordUserActionRequest, RecordUserActionResponse>,
      reply: sendUnaryData<RecordUserActionResponse>,
    ) {
      const { eventId, wallet, sessionId, actionType, traceId } = call.request;
      reply(
        null,
        create(RecordUserActionResponseSchema, {
          outcome: RecordOutcome.RECORDED,
          report: { eventId, walletAddress: wallet, sessionId, actionType, traceId },
        }),
      );
    },
    GetBotConfig(
      call: ServerUnaryCall<GetBotConfigRequest, GetBotConfigResponse>,
      reply: sendUnaryData<GetBotConfigResponse>,
    ) {
      reply(null, { ...botConfig, botId: call.request.botId });
    },
  },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});
process.stdin.on("end", () => process.exit()).resume();
