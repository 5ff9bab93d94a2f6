/**
 * A place in the log. (epoch, xid, ord) of a record sorts like its position, and is what its table is
 * indexed by; position is what readers are told. xid is a decimal string: it is 64 bits wide.
 */
export type Place = {
  readonly epoch: number;
  readonly position: number;
  readonly xid: string;
  readonly ord: number;
};

export function isPlace(value: unknown): value is Place {
  return typeof value === "object" && value !== null && "epoch" in value && "xid" in value && "ord" in value;
}
