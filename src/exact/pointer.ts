// A key can be as long as the value it stands in. Paths go into error details and lists, so they are cut.
const MAX_POINTER_CHARS = 512;

/** One step of a JSON Pointer (RFC 6901): "/" and the key or index, with ~ as ~0 and / as ~1. */
export function pointerStep(key: string | number): string {
  if (typeof key === "number") return `/${key}`;
  const escaped = key.includes("~") ? key.replaceAll("~", "~0") : key;
  return escaped.includes("/") ? `/${escaped.replaceAll("/", "~1")}` : `/${escaped}`;
}

/** A JSON Pointer to show: well-formed, cut to 512 characters and "…" when it is longer. */
export function clipPointer(pointer: string): string {
  if (pointer.length <= MAX_POINTER_CHARS) return pointer.toWellFormed();
  return `${pointer.slice(0, MAX_POINTER_CHARS).toWellFormed()}…`;
}
