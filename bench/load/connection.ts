import { connect as connectSocket, type Socket } from "node:net";
import { createFrameReader, frame, frameFlag, frameType } from "./frames.ts";
import { createHeaderDecoder } from "./hpack.ts";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const settingId = { maxConcurrentStreams: 3, initialWindowSize: 4 } as const;
const defaultWindowBytes = 65_535;
// Large enough that the server never waits for this client; topped up long before it is used up.
const receiveWindowBytes = 2 ** 30;
const readBufferBytes = 256 * 1024;

/** The largest payload of a frame that every peer takes, in bytes. */
export const maxFrameBytes = 16_384;

/** What a connection tells its user; all calls come from the socket's read. */
export interface ConnectionEvents {
  /** A header block: `grpcStatus` is undefined in a block without one. */
  headers(streamId: number, grpcStatus: number | undefined, grpcMessage: string): void;
  /** Bytes of a body, valid only during the call. */
  data(streamId: number, bytes: Buffer): void;
  /** The server has ended the stream in order. */
  ended(streamId: number): void;
  /** The server has reset the stream. */
  reset(streamId: number, errorCode: number): void;
  /** Everything that was read is handled: the time to send, in one write. */
  idle(): void;
  /** The connection is gone; nothing more comes. */
  closed(reason: string): void;
}

/** A client's side of one plaintext HTTP/2 connection, as little of it as a load generator needs. */
export interface Connection {
  /** Set once, before anything is sent. */
  events: ConnectionEvents;
  /** Streams the server allows at a time. */
  readonly maxStreams: number;
  /** Bytes of DATA the server takes on a new stream. */
  readonly streamWindowBytes: number;
  /** Bytes of DATA that may be sent now: on the whole connection, or on a watched stream. */
  windowBytes(streamId?: number): number;
  /** Keeps account of the window of a stream that sends more than its first window holds. */
  watchWindow(streamId: number): void;
  /** Sends whole frames that hold `dataBytes` bytes of DATA payload; `streamId` if its window is watched. */
  send(frames: Buffer, dataBytes: number, streamId?: number): void;
  /** Holds writes back until `work` is done, so that they go out in one system call. */
  batch(work: () => void): void;
  /** Closes at once. */
  close(): void;
}

/** Connects and waits for the server's settings. */
export async function openConnection(host: string, port: number): Promise<Connection> {
  const ready = Promise.withResolvers<void>();
  const decoder = createHeaderDecoder();
  const streamWindows = new Map<number, number>();
  let maxStreams = Number.POSITIVE_INFINITY;
  let streamWindowBytes = defaultWindowBytes;
  let connectionWindow = defaultWindowBytes;
  let unacknowledgedBytes = 0;
  let closedReason: string | undefined;
  let events: ConnectionEvents | undefined;

  function settings(payload: Buffer): void {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      const id = payload.readUInt16BE(at);
      const value = payload.readUInt32BE(at + 2);
      if (id === settingId.maxConcurrentStreams) maxStreams = value;
      if (id === settingId.initialWindowSize) {
        for (const [streamId, bytes] of streamWindows) {
          streamWindows.set(streamId, bytes + value - streamWindowBytes);
        }
        streamWindowBytes = value;
      }
    }
    socket.write(frame(frameType.settings, frameFlag.ack, 0, Buffer.alloc(0)));
    ready.resolve();
  }

  function received(bytes: number): void {
    unacknowledgedBytes += bytes;
    if (unacknowledgedBytes < receiveWindowBytes / 4) return;
    socket.write(windowUpdate(0, unacknowledgedBytes));
    unacknowledgedBytes = 0;
  }

  function windowGrew(streamId: number, bytes: number): void {
    const window = streamWindows.get(streamId);
    if (streamId === 0) connectionWindow += bytes;
    else if (window !== undefined) streamWindows.set(streamId, window + bytes);
  }

  function onFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    switch (type) {
      case frameType.data:
        refuse(flags & frameFlag.padded, "a padded frame");
        received(payload.length);
        if (payload.length > 0) events?.data(streamId, payload);
        if (flags & frameFlag.endStream) events?.ended(streamId);
        return;
      case frameType.headers: {
        refuse(flags & (frameFlag.padded | frameFlag.priority), "a padded frame");
        refuse((flags & frameFlag.endHeaders) === 0, "a header block of several frames");
        const status = decoder.decode(payload);
        events?.headers(streamId, status, decoder.lastMessage);
        if (flags & frameFlag.endStream) events?.ended(streamId);
        return;
      }
      case frameType.resetStream:
        events?.reset(streamId, payload.readUInt32BE(0));
        return;
      case frameType.settings:
        if ((flags & frameFlag.ack) === 0) settings(payload);
        return;
      case frameType.ping:
        if ((flags & frameFlag.ack) === 0) socket.write(frame(frameType.ping, frameFlag.ack, 0, payload));
        return;
      case frameType.windowUpdate:
        windowGrew(streamId, payload.readUInt32BE(0));
        return;
      case frameType.goAway:
        closedReason = `GOAWAY with code ${payload.readUInt32BE(4)}`;
        socket.destroy();
        return;
      case frameType.continuation:
      case frameType.pushPromise:
        refuse(true, `a frame of type ${type}`);
    }
  }

  const readFrames = createFrameReader(onFrame);
  const socket: Socket = connectSocket({
    host,
    port,
    noDelay: true,
    onread: {
      buffer: Buffer.allocUnsafe(readBufferBytes),
      callback(length, buffer) {
        try {
          readFrames(Buffer.from(buffer.buffer, buffer.byteOffset, length));
          events?.idle();
        } catch (error) {
          closedReason = String(error);
          socket.destroy();
        }
        return true;
      },
    },
  });
  socket.on("error", (error) => {
    closedReason ??= error.message;
  });
  socket.on("close", () => {
    const reason = closedReason ?? "the server closed the connection";
    ready.reject(new Error(`${host}:${port}: ${reason}`));
    events?.closed(reason);
  });
  const setting = Buffer.alloc(6);
  setting.writeUInt16BE(settingId.initialWindowSize, 0);
  setting.writeUInt32BE(receiveWindowBytes, 2);
  socket.write(
    Buffer.concat([
      preface,
      frame(frameType.settings, 0, 0, setting),
      windowUpdate(0, receiveWindowBytes - defaultWindowBytes),
    ]),
  );
  await ready.promise;

  return {
    get events() {
      if (events === undefined) throw new Error("nobody listens to the connection yet");
      return events;
    },
    set events(value) {
      events = value;
    },
    get maxStreams() {
      return maxStreams;
    },
    get streamWindowBytes() {
      return streamWindowBytes;
    },
    windowBytes(streamId) {
      const window = streamId === undefined ? undefined : streamWindows.get(streamId);
      return Math.min(connectionWindow, window ?? Number.POSITIVE_INFINITY);
    },
    watchWindow(streamId) {
      streamWindows.set(streamId, streamWindowBytes);
    },
    send(frames, dataBytes, streamId) {
      connectionWindow -= dataBytes;
      if (streamId !== undefined) {
        streamWindows.set(streamId, (streamWindows.get(streamId) ?? streamWindowBytes) - dataBytes);
      }
      socket.write(frames);
    },
    batch(work) {
      socket.cork();
      work();
      socket.uncork();
    },
    close() {
      socket.destroy();
    },
  };
}

function windowUpdate(streamId: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes, 0);
  return frame(frameType.windowUpdate, 0, streamId, payload);
}

// None of the servers measured sends these; one that does shall stop the bench, not bend its figures.
function refuse(seen: number | boolean, what: string): void {
  if (seen) throw new Error(`the server sent ${what}, which the load generator does not read`);
}
