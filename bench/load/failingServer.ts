import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  status,
} from "@grpc/grpc-js";
import {
  RecordOutcome,
  type RecordUserActionRequest,
  RecordUserActionRequestSchema,
  RecordUserActionResponseSchema,
  type StreamUserActionsRequest,
  StreamUserActionsRequestSchema,
  StreamUserActionsResponseSchema,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { method } from "../methods.ts";

/** How the server takes what it gets. "buffers" means the answer is sound, and the outcome is BUFFERED. */
export type Behaviour =
  | "records all"
  | "refuses every fifth call"
  | "buffers every fifth"
  | "ends the stream"
  | "goes away after 1,000";

/** A server that fails in known ways, to check the load generator against. */
export interface FailingServer {
  readonly port: number;
  /** Sets how it behaves and forgets what it saw. */
  behave(behaviour: Behaviour): void;
  readonly seen: { events: number; eventIds: Set<string>; wallets: Set<string> };
}

/** Every character that grpc-message carries as it is, so that all their header codes are met. */
export const refusal = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join("");

type RecordUserActionResponse = MessageInitShape<typeof RecordUserActionResponseSchema>;
type StreamUserActionsResponse = MessageInitShape<typeof StreamUserActionsResponseSchema>;

/** Starts the server on 127.0.0.1. */
export async function startFailingServer(): Promise<FailingServer> {
  const server = new Server();
  const seen = { events: 0, eventIds: new Set<string>(), wallets: new Set<string>() };
  let behaviour: Behaviour = "records all";

  function see({ eventId, wallet }: { eventId: string; wallet: string }): void {
    seen.events++;
    seen.eventIds.add(eventId);
    seen.wallets.add(wallet);
  }

  const recordUserAction: handleUnaryCall<RecordUserActionRequest, RecordUserActionResponse> = (
    { request },
    reply,
  ) => {
    see(request);
    const fifth = seen.events % 5 === 0;
    // A trailer that is new in every call turns the header table over.
    const trailer = new Metadata();
    trailer.set("x-call", String(seen.events));
    if (behaviour === "goes away after 1,000" && seen.events >= 1_000) server.forceShutdown();
    else if (behaviour === "refuses every fifth call" && fifth) {
      reply({ code: status.INVALID_ARGUMENT, details: refusal, metadata: trailer });
    } else if (behaviour === "buffers every fifth" && fifth) {
      reply(null, { outcome: RecordOutcome.BUFFERED }, trailer);
    } else reply(null, { outcome: RecordOutcome.RECORDED }, trailer);
  };

  const streamUserActions: handleBidiStreamingCall<StreamUserActionsRequest, StreamUserActionsResponse> = (
    stream,
  ) => {
    let lastOffset = 0n;
    stream.on("data", ({ message }: StreamUserActionsRequest) => {
      if (message.case === "open") stream.write({ message: { case: "opened", value: { lastOffset } } });
      if (message.case !== "batch") return;
      const { actions, firstOffset } = message.value;
      for (const action of actions) see(action);
      if (behaviour === "ends the stream" || firstOffset !== lastOffset + 1n) {
        stream.emit("error", { code: status.ABORTED, details: "STREAM_SUPERSEDED" });
        return;
      }
      lastOffset += BigInt(actions.length);
      const buffered = behaviour === "buffers every fifth" ? actions.filter((_, i) => i % 5 === 0) : [];
      const results = buffered.map(({ eventId }) => ({ eventId, outcome: RecordOutcome.BUFFERED }));
      stream.write({ message: { case: "ack", value: { lastOffset, results } } });
    });
    stream.on("end", () => stream.end());
  };

  server.addService(
    {
      RecordUserAction: {
        ...notForClients,
        path: method.recordUserAction,
        requestStream: false,
        responseStream: false,
        requestDeserialize: (bytes: Buffer) => fromBinary(RecordUserActionRequestSchema, bytes),
        responseSerialize: (response: RecordUserActionResponse) =>
          Buffer.from(
            toBinary(RecordUserActionResponseSchema, create(RecordUserActionResponseSchema, response)),
          ),
      },
      StreamUserActions: {
        ...notForClients,
        path: method.streamUserActions,
        requestStream: true,
        responseStream: true,
        requestDeserialize: (bytes: Buffer) => fromBinary(StreamUserActionsRequestSchema, bytes),
        responseSerialize: (response: StreamUserActionsResponse) =>
          Buffer.from(
            toBinary(StreamUserActionsResponseSchema, create(StreamUserActionsResponseSchema, response)),
          ),
      },
    },
    { RecordUserAction: recordUserAction, StreamUserActions: streamUserActions },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    port,
    behave(next) {
      behaviour = next;
      seen.events = 0;
      seen.eventIds.clear();
      seen.wallets.clear();
    },
    seen,
  };
}

// grpc-js wants both sides of the codec, whoever uses the definition.
const notForClients = { requestSerialize: () => Buffer.alloc(0), responseDeserialize: () => null };
