import { type DescMessage, type MessageShape, toJsonString } from "@bufbuild/protobuf";

/**
 * A message on one line of JSON, names as in the contract. False, zero and empty are printed too: who
 * reads `allowed` must not take an absent one for either answer.
 */
export function jsonLine<D extends DescMessage>(schema: D, message: MessageShape<D>): string {
  return toJsonString(schema, message, { useProtoFieldName: true, alwaysEmitImplicit: true });
}
