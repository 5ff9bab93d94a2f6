import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { Failure } from "./failure.ts";
import { clipNesting } from "./nesting.ts";

/** Reads a request from protobuf's binary format. Throws INVALID_FIELD when the bytes are no such message. */
export function decodeRequest<Desc extends DescMessage>(desc: Desc, bytes: Uint8Array): MessageShape<Desc> {
  try {
    return fromBinary(desc, bytes);
  } catch {
    // Nested too deeply, or no message at all; the second try tells.
    return decodeClipped(desc, bytes);
  }
}

function decodeClipped<Desc extends DescMessage>(desc: Desc, bytes: Uint8Array): MessageShape<Desc> {
  try {
    return fromBinary(desc, clipNesting(desc, bytes));
  } catch (cause) {
    const text = `the request is not a ${desc.name}: its bytes are cut short or of another message`;
    throw new Failure("INVALID_FIELD", text, { field: "", cause });
  }
}
