import { type DescField, type DescMessage, type Message, ScalarType, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FeatureSet_FieldPresence, isWrapperDesc } from "@bufbuild/protobuf/wkt";

/**
 * Encodes answers into one buffer that is kept from call to call. toBinary makes and grows a new one for
 * each message, which costs more than everything else that a small answer needs. Same bytes as
 * toBinary; a message with a field of a kind that no answer of ours has is left to it.
 */
export function createEncoder(desc: DescMessage): (message: Message) => Buffer {
  const write = messageWriter(desc, new Map());
  return (message) => {
    if (write === undefined) return bufferOf(toBinary(desc, message));
    try {
      write(shared, message);
    } catch (cause) {
      shared.finish(); // What was begun must not stand before the next message.
      throw cause;
    }
    return bufferOf(shared.finish());
  };
}

/** One for all encoders: encoding never waits, so no two of them are under way. */
const shared = new BinaryWriter();

type Write = (writer: BinaryWriter, value: unknown) => void;

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Writes a message's fields; undefined when one of them is of a kind that is left to toBinary. */
function messageWriter(desc: DescMessage, known: Map<DescMessage, Write>): Write | undefined {
  const found = known.get(desc);
  if (found !== undefined) return found;
  const fields: ((writer: BinaryWriter, message: Fields) => void)[] = [];
  const write: Write = (writer, message) => {
    if (!isFields(message)) throw new TypeError(`not a ${desc.typeName}`);
    for (const field of fields) field(writer, message);
  };
  known.set(desc, write); // Before its fields: a message may contain itself.
  for (const field of desc.fields.toSorted((a, b) => a.number - b.number)) {
    const one =
      field.fieldKind === "map" ? entryWriter(field, known) : valueWriter(field, field.number, known);
    if (one === undefined) return undefined;
    fields.push(fieldWriter(field, one));
  }
  return write;
}

/** A generated message's fields by their local names. */
type Fields = { readonly [localName: string]: unknown };

function isFields(message: unknown): message is Fields {
  return typeof message === "object" && message !== null;
}

/** Writes a field when it is set: by its oneof, its length, its presence or its not being zero. */
function fieldWriter(field: DescField, write: Write): (writer: BinaryWriter, message: Fields) => void {
  const name = field.localName;
  if (field.fieldKind === "list") {
    return (writer, message) => {
      const items = message[name];
      if (Array.isArray(items)) for (const item of items) write(writer, item);
    };
  }
  if (field.fieldKind === "map") {
    return (writer, message) => {
      const entries = message[name];
      if (isFields(entries)) for (const entry of Object.entries(entries)) write(writer, entry);
    };
  }
  if (field.oneof !== undefined) {
    const oneof = field.oneof.localName;
    return (writer, message) => {
      const chosen = message[oneof];
      if (isFields(chosen) && chosen.case === name) write(writer, chosen.value);
    };
  }
  if (field.presence !== FeatureSet_FieldPresence.IMPLICIT) {
    return (writer, message) => {
      const value = message[name];
      if (value !== undefined && Object.hasOwn(message, name)) write(writer, value);
    };
  }
  return (writer, message) => {
    const value = message[name];
    if (!isZero(value)) write(writer, value);
  };
}

function isZero(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return value === "" || value === false || value === 0n || Object.is(value, 0);
}

/** Writes an entry of a map, [key, value], with its tag; undefined for keys that are no text. */
function entryWriter(
  field: DescField & { fieldKind: "map" },
  known: Map<DescMessage, Write>,
): Write | undefined {
  const value = valueWriter(field, 2, known);
  if (field.mapKey !== ScalarType.STRING || value === undefined) return undefined;
  return (writer, entry) => {
    if (!Array.isArray(entry)) return;
    writer.tag(field.number, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(String(entry[0]));
    value(writer, entry[1]);
    writer.join();
  };
}

/** Writes one value with its tag; undefined for groups, packed lists and wrappers. */
function valueWriter(field: DescField, number: number, known: Map<DescMessage, Write>): Write | undefined {
  if (field.fieldKind === "list" && field.packed) return undefined;
  if (field.message !== undefined) {
    if (("delimitedEncoding" in field && field.delimitedEncoding) || isWrapperDesc(field.message))
      return undefined;
    const isJson =
      field.message.typeName === "google.protobuf.Struct" &&
      field.parent.typeName !== "google.protobuf.Value";
    const write = isJson ? writeJsonFields : messageWriter(field.message, known);
    if (write === undefined) return undefined;
    return (writer, value) => {
      writer.tag(number, WireType.LengthDelimited).fork();
      write(writer, value);
      writer.join();
    };
  }
  return scalarWriter(number, field.enum === undefined ? field.scalar : ScalarType.INT32);
}

function scalarWriter(number: number, scalar: ScalarType): Write | undefined {
  switch (scalar) {
    case ScalarType.STRING:
      return (writer, value) => void writer.tag(number, WireType.LengthDelimited).string(String(value));
    case ScalarType.BYTES:
      return (writer, value) => {
        if (value instanceof Uint8Array) writer.tag(number, WireType.LengthDelimited).bytes(value);
      };
    case ScalarType.BOOL:
      return (writer, value) => void writer.tag(number, WireType.Varint).bool(value === true);
    case ScalarType.INT32:
      return (writer, value) => void writer.tag(number, WireType.Varint).int32(Number(value));
    case ScalarType.INT64:
      return (writer, value) => {
        if (typeof value === "bigint") writer.tag(number, WireType.Varint).int64(value);
      };
    case ScalarType.DOUBLE:
      return (writer, value) => void writer.tag(number, WireType.Bit64).double(Number(value));
    default:
      return undefined;
  }
}

/** A Struct that protobuf-es holds as a plain JSON object: field 1 is a map of names to Values. */
function writeJsonFields(writer: BinaryWriter, object: unknown): void {
  if (!isFields(object)) return;
  for (const key of Object.keys(object)) {
    writer.tag(1, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(key);
    writer.tag(2, WireType.LengthDelimited).fork();
    writeJson(writer, object[key]);
    writer.join().join();
  }
}

/** A google.protobuf.Value: the number of the field is the kind of the value. */
function writeJson(writer: BinaryWriter, json: unknown): void {
  switch (typeof json) {
    case "number":
      writer.tag(2, WireType.Bit64).double(json);
      return;
    case "string":
      writer.tag(3, WireType.LengthDelimited).string(json);
      return;
    case "boolean":
      writer.tag(4, WireType.Varint).bool(json);
      return;
  }
  if (json === null) {
    writer.tag(1, WireType.Varint).int32(0);
  } else if (Array.isArray(json)) {
    writer.tag(6, WireType.LengthDelimited).fork();
    for (const item of json) {
      writer.tag(1, WireType.LengthDelimited).fork();
      writeJson(writer, item);
      writer.join();
    }
    writer.join();
  } else {
    writer.tag(5, WireType.LengthDelimited).fork();
    writeJsonFields(writer, json);
    writer.join();
  }
}
