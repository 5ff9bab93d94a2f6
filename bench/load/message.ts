const prefixBytes = 5;

/** A gRPC message, uncompressed, with the five bytes that go before it. */
export function withPrefix(message: Buffer): Buffer {
  const bytes = Buffer.alloc(prefixBytes + message.length);
  bytes.writeUInt32BE(message.length, 1);
  message.copy(bytes, prefixBytes);
  return bytes;
}

/** Cuts the body of a response into messages. A message is valid only during the call. */
export function createMessageReader(onMessage: (message: Buffer) => void): (bytes: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= prefixBytes) {
      const end = at + prefixBytes + bytes.readUInt32BE(at + 1);
      if (end > bytes.length) break;
      onMessage(bytes.subarray(at + prefixBytes, end));
      at = end;
    }
    rest = Buffer.from(bytes.subarray(at));
  };
}

/** The one message of a unary response; undefined when the body is anything else. */
export function onlyMessage(body: Buffer): Buffer | undefined {
  if (body.length < prefixBytes || body.length !== prefixBytes + body.readUInt32BE(1)) return undefined;
  return body.subarray(prefixBytes);
}

/**
 * The value of a varint field at the top of a protobuf message; 0 when it is not there. Looking at one field
 * costs a fraction of decoding the message, so every answer can be checked.
 */
export function varintField(message: Buffer, field: number): number {
  let at = 0;
  function varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }
  while (at < message.length) {
    const tag = varint();
    switch (tag % 8) {
      case 0: {
        const value = varint();
        if (tag === field * 8) return value;
        break;
      }
      case 1:
        at += 8;
        break;
      case 2: {
        const length = varint();
        at += length;
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        throw new Error(`wire type ${tag % 8} in an answer`);
    }
  }
  return 0;
}

/** A call's status in words, for a person. */
export function statusText(status: number | undefined, percentEncodedMessage: string): string {
  return `grpc-status ${status ?? "missing"} ${unescaped(percentEncodedMessage)}`.trimEnd();
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
