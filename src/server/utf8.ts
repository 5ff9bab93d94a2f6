import { configureTextEncoding } from "@bufbuild/protobuf/wire";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Bytes as text. What is not UTF-8 becomes half of a surrogate pair, which every field's bound refuses
 * under the field's path. U+FFFD would be stored in its place as if it had been sent, and an error here
 * would refuse the neighbours in a batch too.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return lenient.decode(bytes).replaceAll("\ufffd", "\ud800");
  }
}

/** Makes the decoder of messages read text as decodeUtf8 does, in the whole process. */
export function showBadUtf8(): void {
  configureTextEncoding({
    encodeUtf8: (text) => encoder.encode(text),
    encodeUtf8Into: (text, target) => encoder.encodeInto(text, target),
    decodeUtf8,
    checkUtf8: (text) => text.isWellFormed(),
  });
}
