import { once } from "node:events";
import net from "node:net";

/** HTTP/2 frames written by hand, for what no client library would send. RFC 9113. */

export const frameType = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  reset: 0x3,
  settings: 0x4,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;
export const flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4 } as const;
export const errorCode = { internal: 0x2, cancel: 0x8, enhanceYourCalm: 0xb } as const;

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Headers as HPACK literals that no table remembers. */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]),
  );
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** The headers of a gRPC call. */
export function grpcHeaders(path: string, more: Readonly<Record<string, string>> = {}): Buffer {
  return headerBlock({
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    "content-type": "application/grpc",
    te: "trailers",
    ...more,
  });
}

export const settings = (...pairs: readonly (readonly [id: number, value: number])[]) =>
  frame(
    frameType.settings,
    0,
    0,
    Buffer.concat(
      pairs.map(([id, value]) => {
        const bytes = Buffer.alloc(6);
        bytes.writeUInt16BE(id, 0);
        bytes.writeUInt32BE(value, 2);
        return bytes;
      }),
    ),
  );
export const reset = (stream: number) =>
  frame(frameType.reset, 0, stream, Buffer.from([0, 0, 0, errorCode.cancel]));
export const ping = frame(frameType.ping, 0, 0, Buffer.alloc(8));

/** A connection whose preface is sent. */
export type RawConnection = {
  readonly socket: net.Socket;
  /** Writes, and waits until the socket takes more; false once the connection is closed. */
  send(bytes: Uint8Array): Promise<boolean>;
  /** The code of the last GOAWAY that came. */
  goaway(): number | undefined;
  readonly closed: Promise<void>;
};

/** Connects, from another address of this machine if told so; reads what comes, unless `reads` is false. */
export async function connectRaw(
  port: number,
  options: { readonly from?: string; readonly reads?: boolean } = {},
): Promise<RawConnection> {
  const socket = net.connect({ port, host: "127.0.0.1", localAddress: options.from });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => undefined); // Its "close" follows and is all that matters.
  await Promise.race([once(socket, "connect"), closed]);
  let goaway: number | undefined;
  let unread = Buffer.alloc(0);
  if (options.reads !== false) {
    socket.on("data", (bytes) => {
      unread = Buffer.concat([unread, bytes]);
      while (unread.length >= 9) {
        const size = 9 + unread.readUIntBE(0, 3);
        if (unread.length < size) return;
        if (unread.readUInt8(3) === frameType.goaway) goaway = unread.readUInt32BE(13);
        unread = unread.subarray(size);
      }
    });
  }
  socket.write(Buffer.concat([preface, settings()]));
  return {
    socket,
    async send(bytes) {
      if (socket.destroyed) return false;
      if (!socket.write(bytes)) await Promise.race([once(socket, "drain").catch(() => undefined), closed]);
      return !socket.destroyed;
    },
    goaway: () => goaway,
    closed,
  };
}
