/**
 * Throws a TypeError for a message with text that would arrive changed: half of a surrogate pair has no UTF-8.
 */
export function refuseBrokenText(value: unknown, path: string): void {
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new TypeError(`${path} has half of a surrogate pair; it is no text`);
  } else if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    for (const [name, member] of Object.entries(value)) {
      refuseBrokenText(name, `a name in ${path}`);
      if (typeof member === "string" || typeof member === "object") refuseBrokenText(member, name);
    }
  }
}

/** Throws a RangeError for more bytes than may be sent. */
export function refuseTooLong(bytes: Uint8Array, maxBytes: number, what: string): void {
  if (bytes.length > maxBytes) {
    throw new RangeError(`${what} has ${bytes.length} bytes, and no more than ${maxBytes} are taken`);
  }
}
