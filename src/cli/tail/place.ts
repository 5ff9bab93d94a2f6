import { InvalidArgumentError } from "commander";
import { allParts } from "../../reports/place.ts";

/** A place in the log, as the contract's LogPosition has it. */
export type Place = { readonly epoch: bigint; readonly position: bigint; readonly part: number };

/** "1:42": behind all that is reported of the record at 42; "1:42.0": behind the first of its reports. */
export function placeOption(value: string): Place {
  const [, epoch, position, part] = /^(\d{1,9}):(\d{1,15})(?:\.(\d{1,2}))?$/.exec(value) ?? [];
  if (epoch === undefined || position === undefined) {
    throw new InvalidArgumentError("It is not epoch:position, e.g. 1:42.");
  }
  return {
    epoch: BigInt(epoch),
    position: BigInt(position),
    part: part === undefined ? allParts : Number(part),
  };
}

export function textOfPlace({ epoch, position, part }: Place): string {
  return part >= allParts ? `${epoch}:${position}` : `${epoch}:${position}.${part}`;
}
