// Today's service as one of another version: a relay that reads and writes the messages of a contract, so that what they
// lack is lost on the way, and that has no other methods.
import { once } from "node:events";
import { createServer } from "node:http2";
import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  FileRegistry,
  Message,
} from "@bufbuild/protobuf";
import type { ConnectRouter, Transport } from "@connectrpc/connect";
import { connectNodeAdapter, createGrpcTransport } from "@connectrpc/connect-node";

export type Relay = { readonly address: string; close(): void };

/** Changes an answer in place. */
export type Alter = (desc: DescMessage, answer: Message) => void;

export async function startRelay(
  contract: FileRegistry,
  to: string,
  alter: Alter = () => {},
): Promise<Relay> {
  const binaryOptions = { readUnknownFields: false };
  const transport = createGrpcTransport({ baseUrl: `http://${to}`, binaryOptions });
  const routes = connectNodeAdapter({
    binaryOptions,
    routes(router) {
      for (const type of contract) {
        if (type.kind !== "service") continue;
        for (const method of type.methods) relay(router, method, transport, alter);
      }
    },
    // What a server says of a method that it does not have.
    fallback(_request, response) {
      response.writeHead(200, { "content-type": "application/grpc" });
      response.addTrailers({ "grpc-status": "12" });
      response.end();
    },
  });
  const server = createServer(routes);
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const at = server.address();
  if (at === null || typeof at === "string") throw new Error("no port");
  return {
    address: `127.0.0.1:${at.port}`,
    close() {
      server.close();
      for (const session of sessions) session.destroy();
    },
  };
}

function relay(router: ConnectRouter, method: DescMethod, to: Transport, alter: Alter): void {
  const altered = <M extends Message>(answer: M): M => {
    alter(method.output, answer);
    return answer;
  };
  if (isUnary(method)) {
    router.rpc(method, async (request, { signal, timeoutMs, requestHeader }) => {
      return altered((await to.unary(method, signal, timeoutMs(), passed(requestHeader), request)).message);
    });
  } else if (answersInAStream(method)) {
    router.rpc(method, async function* (request, { signal, timeoutMs, requestHeader }) {
      async function* only() {
        yield request;
      }
      const answers = await to.stream(method, signal, timeoutMs(), passed(requestHeader), only());
      for await (const answer of answers.message) yield altered(answer);
    });
  } else if (isAStream(method)) {
    router.rpc(method, async function* (requests, { signal, timeoutMs, requestHeader }) {
      const answers = await to.stream(method, signal, timeoutMs(), passed(requestHeader), requests);
      for await (const answer of answers.message) yield altered(answer);
    });
  } else {
    throw new Error(`${method.name} streams its requests alone; the relay has no way for that yet`);
  }
}

const isUnary = (method: DescMethod): method is DescMethodUnary => method.methodKind === "unary";
const answersInAStream = (method: DescMethod): method is DescMethodServerStreaming =>
  method.methodKind === "server_streaming";
const isAStream = (method: DescMethod): method is DescMethodBiDiStreaming =>
  method.methodKind === "bidi_streaming";

function passed(header: Headers): Record<string, string> {
  return { authorization: header.get("authorization") ?? "" };
}
