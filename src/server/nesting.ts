import type { DescMessage } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Messages inside each other: more than any field's bound lets pass, fewer than the decoder takes (100). */
const keptLevels = 90;

/** What lies behind a field number, where that is messages again. */
type Shape = (fieldNumber: number) => { readonly shape: Shape; readonly levels: 0 | 1 } | undefined;

/**
 * The message without what is nested deeper than any bound allows. The decoder gives up on such a
 * message as a whole; clipped, it can be decoded, and the bound refuses the field by its path and
 * spares its neighbours in a batch. Throws when the bytes are no message at all.
 */
export function clipNesting(desc: DescMessage, bytes: Uint8Array): Uint8Array {
  return clip(shapeOf(desc), bytes, keptLevels);
}

function clip(shape: Shape, bytes: Uint8Array, levels: number): Uint8Array {
  const reader = new BinaryReader(bytes);
  const writer = new BinaryWriter();
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [fieldNumber, wireType] = reader.tag();
    const inner = wireType === WireType.LengthDelimited ? shape(fieldNumber) : undefined;
    if (inner === undefined) {
      reader.skip(wireType, fieldNumber);
      writer.raw(bytes.subarray(start, reader.pos));
    } else {
      const body = reader.bytes();
      if (levels > 0) writer.tag(fieldNumber, wireType).bytes(clip(inner.shape, body, levels - inner.levels));
    }
  }
  return writer.finish();
}

function shapeOf(desc: DescMessage): Shape {
  return (fieldNumber) => {
    const field = desc.fields.find((one) => one.number === fieldNumber);
    if (field?.message === undefined) return undefined;
    const shape = shapeOf(field.message);
    // The decoder does not count the entries of a map as a level.
    if (field.fieldKind === "map")
      return { shape: (number) => (number === 2 ? { shape, levels: 1 } : undefined), levels: 0 };
    return { shape, levels: 1 };
  };
}
