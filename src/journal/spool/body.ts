/**
 * A record as text, for the spool: JSON that an operator can read, with bigints, bytes and maps marked. A member whose
 * name begins like a mark gets a second $, so that none can be forged.
 */
export function toBody(record: unknown): string {
  return JSON.stringify(plain(record));
}

/** The record that toBody was given, its undefined members absent. */
export function fromBody(body: string): unknown {
  return restored(JSON.parse(body));
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return { $int: value.toString() };
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
  if (value instanceof Map) return { $map: [...value].map(plain) };
  if (Array.isArray(value)) return value.map(plain);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name.replace(/^\$/, "$$$$"), plain(member)]));
}

function restored(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(restored);
  if ("$int" in value) return BigInt(String(value.$int));
  if ("$bytes" in value) return Buffer.from(String(value.$bytes), "base64");
  if ("$map" in value && Array.isArray(value.$map)) return new Map(value.$map.map(pair));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name.replace(/^\$\$/, "$$"), restored(member)]),
  );
}

function pair(entry: unknown): [unknown, unknown] {
  if (!Array.isArray(entry)) throw new Error("a map's entry is not a pair");
  return [restored(entry[0]), restored(entry[1])];
}
