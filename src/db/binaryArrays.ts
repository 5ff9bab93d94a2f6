/**
 * Postgres arrays in the binary wire format. A batch of rows goes to the database as one array a
 * column; node-pg would render them as quoted text, which costs more than the rest of a call.
 */

const textOid = 25;
const byteaOid = 17;
const int8Oid = 20;
const boolOid = 16;
const timestamptzOid = 1184;
const dateOid = 1082;

const headerBytes = 20;
/** Microseconds from 1970-01-01 to 2000-01-01, where Postgres counts from. */
const postgresEpochMicros = 946_684_800_000_000;
const postgresEpochDays = 10_957;

/** text[]; null stands for NULL. The strings must not contain U+0000. */
export function textArray(values: readonly (string | null)[]): Buffer {
  let size = headerBytes;
  let hasNull = 0;
  for (const value of values) {
    if (value === null) hasNull = 1;
    size += 4 + (value === null ? 0 : Buffer.byteLength(value));
  }
  const buffer = header(values.length, hasNull, textOid, size);
  let at = headerBytes;
  for (const value of values) {
    if (value === null) {
      at = buffer.writeInt32BE(-1, at);
    } else {
      const written = buffer.write(value, at + 4);
      buffer.writeInt32BE(written, at);
      at += 4 + written;
    }
  }
  return buffer;
}

/** bytea[]; null stands for NULL. */
export function byteaArray(values: readonly (Uint8Array | null)[]): Buffer {
  let size = headerBytes;
  let hasNull = 0;
  for (const value of values) {
    if (value === null) hasNull = 1;
    size += 4 + (value === null ? 0 : value.length);
  }
  const buffer = header(values.length, hasNull, byteaOid, size);
  let at = headerBytes;
  for (const value of values) {
    if (value === null) {
      at = buffer.writeInt32BE(-1, at);
    } else {
      at = buffer.writeInt32BE(value.length, at);
      buffer.set(value, at);
      at += value.length;
    }
  }
  return buffer;
}

/** bigint[]; null stands for NULL. */
export function int8Array(values: readonly (bigint | null)[]): Buffer {
  return fixed(int8Oid, values, 8, (buffer, value, at) => buffer.writeBigInt64BE(value, at));
}

/** boolean[]. */
export function boolArray(values: readonly boolean[]): Buffer {
  return fixed(boolOid, values, 1, (buffer, value, at) => buffer.writeUInt8(value ? 1 : 0, at));
}

/** timestamptz[] from microseconds since 1970, exact up to 2^53. */
export function timestamptzArray(valuesMicros: readonly number[]): Buffer {
  return fixed(timestamptzOid, valuesMicros, 8, (buffer, micros, at) => {
    const shifted = micros - postgresEpochMicros;
    const high = Math.floor(shifted / 0x1_0000_0000);
    buffer.writeInt32BE(high, at);
    buffer.writeUInt32BE(shifted - high * 0x1_0000_0000, at + 4);
  });
}

/** date[] from days since 1970-01-01. */
export function dateArray(valuesDays: readonly number[]): Buffer {
  return fixed(dateOid, valuesDays, 4, (buffer, days, at) =>
    buffer.writeInt32BE(days - postgresEpochDays, at),
  );
}

function fixed<T>(
  oid: number,
  values: readonly (T | null)[],
  width: number,
  write: (buffer: Buffer, value: T, at: number) => void,
): Buffer {
  let present = 0;
  for (const value of values) if (value !== null) present++;
  const hasNull = present === values.length ? 0 : 1;
  const buffer = header(values.length, hasNull, oid, headerBytes + 4 * values.length + width * present);
  let at = headerBytes;
  for (const value of values) {
    if (value === null) {
      at = buffer.writeInt32BE(-1, at);
    } else {
      at = buffer.writeInt32BE(width, at);
      write(buffer, value, at);
      at += width;
    }
  }
  return buffer;
}

function header(length: number, hasNull: number, oid: number, size: number): Buffer {
  const buffer = Buffer.allocUnsafe(size);
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(hasNull, 4);
  buffer.writeInt32BE(oid, 8);
  buffer.writeInt32BE(length, 12);
  buffer.writeInt32BE(1, 16);
  return buffer;
}
