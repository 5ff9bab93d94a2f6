import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { JsMsg } from "@nats-io/jetstream";
import { decodeRequest } from "../server/decode.ts";
import { Failure, invalidField } from "../server/failure.ts";
import { decodeJsonRequest } from "../server/jsonRequest.ts";

const openingBrace = 0x7b;

/**
 * Reads a message of the bus. `contentType` is its header, "" for none: then a message that begins with { is JSON,
 * which no protobuf of ours begins with, and any other is protobuf. Throws INVALID_FIELD and LIMIT_EXCEEDED.
 */
export function decodeMessage<Desc extends DescMessage>(
  desc: Desc,
  contentType: string,
  bytes: Uint8Array,
  maxBytes: number,
): MessageShape<Desc> {
  if (bytes.byteLength > maxBytes) {
    throw new Failure("LIMIT_EXCEEDED", `the message is larger than ${maxBytes} bytes`);
  }
  return isJson(contentType, bytes) ? decodeJsonRequest(desc, bytes) : decodeRequest(desc, bytes);
}

function isJson(contentType: string, bytes: Uint8Array): boolean {
  switch (contentType.split(";")[0]?.trim().toLowerCase()) {
    case "":
      return bytes[0] === openingBrace;
    case "application/json":
      return true;
    case "application/protobuf":
    case "application/x-protobuf":
      return false;
    default:
      throw invalidField("content-type", "must be application/json or application/protobuf");
  }
}

/** The message's content type; "" when it has none. Senders write the header's name in any case. */
export function contentTypeOf({ headers }: Pick<JsMsg, "headers">): string {
  const name = headers?.keys().find((key) => key.toLowerCase() === "content-type");
  return name === undefined ? "" : (headers?.get(name) ?? "");
}
