/** 1234567 → "1,234,567". */
export function count(number: number | bigint): string {
  return number.toLocaleString("en-US");
}

/** Bytes for people: "512 B", "3.4 MB". */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
