import {
  constants,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import type { TlsOptions } from "node:tls";
import { type ArrivingLimits, createArriving } from "./arriving.ts";
import { type FrameLimits, keepCalm, perSecond } from "./calm.ts";
import { type ConnectionLimits, createConnections } from "./connections.ts";
import { createOverhead, type OverheadLimits } from "./overhead.ts";
import { oldestTls } from "./tls.ts";
import { replaceTables } from "./youngCalls.ts";

export type GuardLimits = ArrivingLimits &
  ConnectionLimits &
  FrameLimits &
  OverheadLimits & {
    /** Streams one connection may have open at a time. */
    readonly streamsPerConnection: number;
    /** Streams that a connection may cancel at once, and then in a second. */
    readonly resetsAtOnce: number;
    readonly resetsPerSecond: number;
    /** Small DATA frames in a second, beside the first of each call: requests cut to pieces. */
    readonly smallFramesPerSecond: number;
    /** A call's headers, decoded. */
    readonly headersMaxBytes: number;
    readonly headersMaxCount: number;
    /** Frames that break the protocol, and streams over the limit, before a connection is cut. */
    readonly invalidFramesPerConnection: number;
    readonly rejectedStreamsPerConnection: number;
    /** What streams, headers and unread answers of a connection may hold before it may open no more streams. */
    readonly connectionMaxMegabytes: number;
    /** A TLS handshake has to be done within this. */
    readonly handshakeWithinMs: number;
    /** A connection without a call for so long is closed; the client makes another when it needs one. */
    readonly connectionIdleMs: number;
  };

/** The limits that node:http2 keeps by itself, and TLS where it is on. */
export function http2Options(limits: GuardLimits): ServerOptions & TlsOptions {
  return {
    settings: {
      maxConcurrentStreams: limits.streamsPerConnection,
      maxHeaderListSize: limits.headersMaxBytes,
    },
    maxHeaderListPairs: limits.headersMaxCount,
    maxSessionMemory: limits.connectionMaxMegabytes,
    maxSessionInvalidFrames: limits.invalidFramesPerConnection,
    maxSessionRejectedStreams: limits.rejectedStreamsPerConnection,
    streamResetBurst: limits.resetsAtOnce,
    streamResetRate: limits.resetsPerSecond,
    unknownProtocolTimeout: limits.handshakeWithinMs,
    handshakeTimeout: limits.handshakeWithinMs,
    minVersion: oldestTls,
  };
}

/** What says so little that only the last frame of a request is as small. */
const smallFrameBytes = 1024;

/** nghttp2's "protocol error": what it says of most floods, and of the one frame that is grpc-go's goodbye. */
const protocolError = -505;
const goodbyeMaxBytes = 4 * 1024;
/** Calls that clients give up in the life of a connection. */
const politeResets = 100;

/** Whether node:http2 ended the connection for a flood. That the other side ended it, however rudely, is no offence. */
function isOffence({ code, errno }: NodeJS.ErrnoException, excessBytes: number, resets: number): boolean {
  if (code === "ERR_HTTP2_TOO_MANY_INVALID_FRAMES") return true;
  if (code !== "ERR_HTTP2_ERROR") return false;
  return errno !== protocolError || excessBytes > goodbyeMaxBytes || resets > politeResets;
}

/** Keeps the limits that node:http2 does not have. `isStream` tells calls whose request is a stream by their path. */
export function guardHttp2(
  servers: readonly (Http2Server | Http2SecureServer)[],
  limits: GuardLimits,
  isStream: (path: string) => boolean,
): Disposable {
  const connections = createConnections(limits);
  const arriving = createArriving(limits);
  const overhead = createOverhead(limits);
  for (const server of servers) {
    connections.guard(server);
    server.on("session", (session) => {
      replaceTables(session);
      const connection = connections.below(session.socket);
      if (connection === undefined) return; // It is closed by now.
      const cutOff = () => {
        if (session.destroyed) return;
        connection.offended();
        session.destroy(new Error("too many frames"), constants.NGHTTP2_ENHANCE_YOUR_CALM);
      };
      keepCalm(session, limits, cutOff);
      const payload = overhead.watch(session, connection.socket, cutOff);
      let resets = 0;
      session.on("error", (error: NodeJS.ErrnoException) => {
        // node:http2 has cut it off.
        if (isOffence(error, payload.excess(), resets)) connection.offended();
      });
      const anotherSmall = perSecond(limits.smallFramesPerSecond, cutOff);
      session.on("stream", (stream, headers) => {
        // A stream of requests is read one by one, once it is known whose it is.
        const request = isStream(headers[":path"] ?? "") ? undefined : arriving.begun(refusing(stream));
        if (request !== undefined) {
          stream.once("end", request.done);
          stream.once("close", request.done);
        }
        let isFirst = true;
        stream.on("data", ({ length }: Buffer) => {
          payload.data(length);
          request?.came(length);
          if (request !== undefined && !isFirst && length < smallFrameBytes) anotherSmall();
          isFirst = false;
        });
        payload.call();
        connection.called();
        stream.once("close", () => {
          if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) resets++;
          connection.ended();
        });
      });
    });
  }
  return {
    [Symbol.dispose]() {
      arriving[Symbol.dispose]();
      overhead[Symbol.dispose]();
    },
  };
}

/** The caller sees RESOURCE_EXHAUSTED or CANCELLED. */
function refusing(stream: ServerHttp2Stream): (why: "too much" | "too late") => void {
  const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_CANCEL } = constants;
  return (why) => stream.close(why === "too much" ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_CANCEL);
}
