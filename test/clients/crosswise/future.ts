// Answers as a service of a later contract gives them.
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { WireType } from "@bufbuild/protobuf/wire";

const unknownField = 9999;
const unknownValue = 9999;

/** Each enum has a value, and each message a field, that today's contract does not have. */
export function fromTheFuture(desc: DescMessage, answer: Message): void {
  change(reflect(desc, answer));
}

function change(message: ReflectMessage): void {
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === "enum") message.set(field, unknownValue);
    if (field.fieldKind === "message") change(message.get(field));
    if (field.fieldKind === "list" && field.listKind === "message") {
      for (const member of message.get(field)) if (isMessage(member)) change(member);
    }
  }
  const data = Uint8Array.of(3, 1, 2, 3);
  message.message.$unknown = [{ no: unknownField, wireType: WireType.LengthDelimited, data }];
}

function isMessage(member: unknown): member is ReflectMessage {
  return typeof member === "object" && member !== null && "fields" in member;
}
