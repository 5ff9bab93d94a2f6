import type { Http2SecureServer, Http2Server, ServerOptions } from "node:http2";
import type { ListenOptions } from "node:net";
import type { Server } from "@grpc/grpc-js";

/**
 * What grpc-js keeps to itself: the options of its HTTP/2 servers, how they listen, and the servers. It offers no
 * other way to node:http2's limits, to the queue of connections, or to the frames of one. Its version is pinned,
 * and each function throws when it has changed.
 */

/** Adds to the options of the HTTP/2 servers that the gRPC server will make; call it before bindAsync. */
export function setHttp2Options(server: Server, options: ServerOptions): void {
  const common: unknown = Reflect.get(server, "commonServerOptions");
  if (typeof common !== "object" || common === null)
    throw new Error("grpc-js has no commonServerOptions any more");
  Object.assign(common, options);
}

/** So many new connections may wait to be accepted; call it before bindAsync. */
export function setBacklog(server: Server, backlog: number): void {
  const create: unknown = Reflect.get(server, "createHttp2Server");
  if (typeof create !== "function") throw new Error("grpc-js has no createHttp2Server any more");
  Reflect.set(server, "createHttp2Server", (credentials: unknown) => {
    const made: Http2Server | Http2SecureServer = Reflect.apply(create, server, [credentials]);
    const listen = made.listen.bind(made);
    const listenOn = (address: ListenOptions, listening: () => void) =>
      listen({ ...address, backlog }, listening);
    return Object.assign(made, { listen: listenOn });
  });
}

/** The HTTP/2 servers of a gRPC server that listens: one for each address its host name stands for. */
export function http2ServersOf(server: Server): (Http2Server | Http2SecureServer)[] {
  const known: unknown = Reflect.get(server, "http2Servers");
  if (!(known instanceof Map) || known.size === 0) throw new Error("grpc-js has no http2Servers any more");
  return [...known.keys()];
}
