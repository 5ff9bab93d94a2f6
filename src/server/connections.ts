import type { Server, Socket } from "node:net";
import { createOffenders, type OffenderLimits } from "./offenders.ts";

export type ConnectionLimits = OffenderLimits & {
  /** Connections a listener keeps at a time. */
  readonly connectionsPerListener: number;
  /** A connection has to bring its first call within this; its TLS handshake and its slow headers count. */
  readonly firstCallWithinMs: number;
};

/** One connection, told of its calls. */
export type Connection = {
  readonly socket: Socket;
  /** A call began; how many are under way now. */
  called(): number;
  ended(): void;
  /** It was cut off for what it sent. */
  offended(): void;
};

/** The connections of a listener: bounded, and who uses theirs keeps it. */
export type Connections = {
  /** Counts the server's connections, before it reads anything from them. */
  guard(server: Server): void;
  /** The connection below a socket, which may be TLS on top of it; undefined when it is closed by now. */
  below(socket: Socket): Connection | undefined;
};

type Known = Connection & { readonly firstCall: NodeJS.Timeout; calls: number };

/** How long a connection that is not admitted is left waiting, so that its maker is no faster back. */
const notAdmittedMs = 1000;

/**
 * Keeps a number of connections, and none that brings no call. Whoever opens connections without end drives out
 * idle ones, their own first: those without a call under way, the longest unused first.
 */
export function createConnections(limits: ConnectionLimits): Connections {
  /** The least recently used first. */
  const known = new Map<string, Known>();
  const offenders = createOffenders(limits);

  function makeRoom(): void {
    if (known.size < limits.connectionsPerListener) return;
    let victim = known.entries().next().value;
    for (const entry of known) {
      if (entry[1].calls > 0) continue;
      victim = entry;
      break;
    }
    if (victim === undefined) return;
    forget(...victim);
    victim[1].socket.destroy();
  }

  function forget(name: string, connection: Known): void {
    clearTimeout(connection.firstCall);
    if (known.get(name) === connection) known.delete(name);
  }

  /** Whether the connection is to be served. */
  function opened(socket: Socket): boolean {
    makeRoom();
    const name = nameOf(socket);
    const address = socket.remoteAddress ?? "";
    const admitted = offenders.admits(address);
    const connection: Known = {
      socket,
      calls: 0,
      firstCall: setTimeout(
        () => socket.destroy(),
        admitted ? limits.firstCallWithinMs : notAdmittedMs,
      ).unref(),
      called() {
        clearTimeout(connection.firstCall);
        connection.calls++;
        if (known.delete(name)) known.set(name, connection);
        return connection.calls;
      },
      ended() {
        connection.calls--;
      },
      offended: () => offenders.cut(address),
    };
    known.set(name, connection);
    socket.once("close", () => forget(name, connection));
    // Nobody else listens to what is not served, and an error that nobody hears ends the process.
    if (!admitted) socket.on("error", () => socket.destroy());
    return admitted;
  }

  return {
    guard(server) {
      const serve = server.listeners("connection");
      server.removeAllListeners("connection");
      server.on("connection", (socket: Socket) => {
        if (opened(socket)) for (const listener of serve) listener.call(server, socket);
      });
    },
    below: (socket) => known.get(nameOf(socket)),
  };
}

/** What a socket and the TLS on top of it have in common. */
function nameOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
