/**
 * The longest plain notation (0.053, 1000), without its sign, that stands for itself in the normal form.
 * Prices, sizes and token amounts of 18 decimals fit; longer ones are written as digits and exponent, so
 * that 1e9999 stays short.
 */
export const MAX_PLAIN_CHARS = 24;

const ZERO = 48;

/**
 * The one spelling of a decimal number's exact value: two JSON numbers have the same normal form if and only
 * if they are the same decimal. Plain where that takes at most 24 characters, else digits and exponent
 * ("15e300"). `number` is a valid JSON number with at most 1,000 digits and an exponent within ±9,999.
 *
 * Minus zero keeps its sign: as a decimal it is 0, but a sender who turned 0 into -0 changed the digits on
 * record, and that change must not look like a repetition.
 */
export function normalDecimal(number: string): string {
  const sign = number.charCodeAt(0) === 45 ? "-" : "";
  const e = exponentIndex(number);
  const mantissa = number.slice(sign.length, e);
  const dot = mantissa.indexOf(".");
  if (e === number.length && dot < 0 && mantissa.length <= MAX_PLAIN_CHARS) return number;

  const digits = dot < 0 ? mantissa : mantissa.slice(0, dot) + mantissa.slice(dot + 1);
  const decimals = dot < 0 ? 0 : mantissa.length - dot - 1;
  const exponent = e === number.length ? 0 : Number(number.slice(e + 1));
  let start = 0;
  while (start < digits.length && digits.charCodeAt(start) === ZERO) start++;
  if (start === digits.length) return `${sign}0`;
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === ZERO) end--;
  return sign + notation(digits.slice(start, end), exponent - decimals + digits.length - end);
}

/** Whether a number without exponent, of `length` characters without its sign, is its own normal form. */
export function isPlainNormal(length: number, hasFraction: boolean, lastCode: number): boolean {
  return length <= MAX_PLAIN_CHARS && !(hasFraction && lastCode === ZERO);
}

function exponentIndex(number: string): number {
  for (let i = number.length - 1; i > 0; i--) {
    // Upper and lower case e differ in this bit alone; no other character of a number becomes an e by it.
    if ((number.charCodeAt(i) | 32) === 101) return i;
  }
  return number.length;
}

// `digits` has no zero at either end; the value is digits times ten to the exponent.
function notation(digits: string, exponent: number): string {
  const point = digits.length + exponent;
  if (exponent >= 0) {
    return point <= MAX_PLAIN_CHARS ? digits + "0".repeat(exponent) : `${digits}e${exponent}`;
  }
  if (point > 0) {
    return digits.length < MAX_PLAIN_CHARS
      ? `${digits.slice(0, point)}.${digits.slice(point)}`
      : `${digits}e${exponent}`;
  }
  return 2 - exponent <= MAX_PLAIN_CHARS ? `0.${"0".repeat(-point)}${digits}` : `${digits}e${exponent}`;
}
