import { isPlainNormal, normalDecimal } from "./decimal.ts";
import { sortMembers } from "./members.ts";
import { clipPointer, pointerStep } from "./pointer.ts";

// The scanner calls itself once per level; this many levels take a third of the default stack.
const HARD_MAX_DEPTH = 1_000;
const MAX_DIGITS = 1_000;
const MAX_EXPONENT = 9_999;

const END = -1;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LOWER_E = 0x65;
const LOWER_N = 0x6e;
const LOWER_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const BYTE_ORDER_MARK = 0xfeff;

const FAILED = "";

/**
 * One pass over one JSON text. Methods return the canonical text of what they read, which is never empty, or
 * "" when it is bad; then `message` says why, and the callers on the way out put `path` together.
 */
export class Scanner {
  message = "";
  private reversePath: string[] = [];
  private readonly source: string;
  private readonly length: number;
  private readonly maxDepth: number;
  private readonly objectOrNull: boolean;
  private readonly wellFormed: boolean;
  private position = 0;
  // The text so far without whitespace, but for what stands from `copiedTo` on.
  private copied = "";
  private copiedTo = 0;
  private hasEscapes = false;

  constructor(source: string, maxDepth: number, objectOrNull: boolean) {
    this.source = source;
    this.length = source.length;
    this.maxDepth = Math.min(maxDepth, HARD_MAX_DEPTH);
    this.objectOrNull = objectOrNull;
    this.wellFormed = source.isWellFormed();
  }

  /** The canonical text, or "" when the text is bad. */
  run(): string {
    const code = this.next();
    if (code === BYTE_ORDER_MARK) return this.fail("starts with a byte order mark; send the text without it");
    if (this.objectOrNull && code !== OPEN_OBJECT && code !== LOWER_N && code !== END) {
      return this.fail("must be a JSON object or null");
    }
    const canonical = this.value(code, 0);
    if (canonical === FAILED) return FAILED;
    return this.next() === END ? canonical : this.expected("the end of the text");
  }

  /** The text without insignificant whitespace; the source itself when it has none. */
  compact(): string {
    return this.copiedTo === 0 ? this.source : this.copied + this.source.slice(this.copiedTo);
  }

  /** Where it is bad, a JSON Pointer. */
  get path(): string {
    return clipPointer(this.reversePath.reverse().join(""));
  }

  private value(code: number, depth: number): string {
    switch (code) {
      case QUOTE:
        return this.string();
      case OPEN_OBJECT:
        return this.object(depth + 1);
      case OPEN_ARRAY:
        return this.array(depth + 1);
      case 0x74:
        return this.literal("true");
      case 0x66:
        return this.literal("false");
      case LOWER_N:
        return this.literal("null");
      default:
        return code === MINUS || isDigit(code) ? this.number() : this.expected("a JSON value");
    }
  }

  private object(depth: number): string {
    if (depth > this.maxDepth) return this.tooDeep();
    this.position++;
    let code = this.next();
    if (code === CLOSE_OBJECT) {
      this.position++;
      return "{}";
    }
    const keys: string[] = [];
    const members: string[] = [];
    let last = "";
    let sorted = true;
    for (;;) {
      if (code !== QUOTE)
        return this.expected(keys.length === 0 ? 'a key in quotes or "}"' : "a key in quotes");
      const quoted = this.string();
      if (quoted === FAILED) return FAILED;
      const key = this.hasEscapes ? decode(quoted) : quoted.slice(1, -1);
      if (this.next() !== COLON) return this.expected('":" after the key', key);
      this.position++;
      const value = this.value(this.next(), depth);
      if (value === FAILED) return this.failedIn(key);
      if (keys.length > 0 && key <= last) sorted = false;
      last = key;
      keys.push(key);
      members.push(`${quoted}:${value}`);
      code = this.next();
      if (code === CLOSE_OBJECT) break;
      if (code !== COMMA) return this.expected('"," or "}"', key);
      this.position++;
      code = this.next();
    }
    this.position++;
    if (!sorted) {
      const repeated = sortMembers(keys, members);
      if (repeated !== undefined) return this.fail("is a key that stands twice in its object", repeated);
    }
    return `{${members.join(",")}}`;
  }

  private array(depth: number): string {
    if (depth > this.maxDepth) return this.tooDeep();
    this.position++;
    let code = this.next();
    if (code === CLOSE_ARRAY) {
      this.position++;
      return "[]";
    }
    let canonical = "[";
    for (let index = 0; ; index++) {
      const value = this.value(code, depth);
      if (value === FAILED) return this.failedIn(index);
      canonical += index === 0 ? value : `,${value}`;
      code = this.next();
      if (code === CLOSE_ARRAY) break;
      if (code !== COMMA) return this.expected('"," or "]"', index);
      this.position++;
      code = this.next();
    }
    this.position++;
    return `${canonical}]`;
  }

  // Also tells in `hasEscapes` whether the canonical text has any.
  private string(): string {
    const source = this.source;
    const start = this.position;
    let i = start + 1;
    let escapes = false;
    for (; i < this.length; i++) {
      const code = source.charCodeAt(i);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        escapes = true;
        i = this.escape(i);
        if (i === END) return FAILED;
      } else if (code < 0x20) {
        this.position = i;
        return this.fail(`has a raw control character at offset ${i}; write it as \\u00XX`);
      }
    }
    this.position = i;
    if (i >= this.length) return this.expected("the closing quote of a string");
    this.position = i + 1;
    const raw = source.slice(start, i + 1);
    this.hasEscapes = false;
    if (!escapes) return this.wellFormed || raw.isWellFormed() ? raw : this.loneSurrogate(start);
    const decoded = decode(raw);
    if (!decoded.isWellFormed()) return this.loneSurrogate(start);
    const canonical = JSON.stringify(decoded);
    this.hasEscapes = canonical.length !== decoded.length + 2;
    return canonical;
  }

  // The offset of the escape's last character.
  private escape(backslash: number): number {
    const i = backslash + 1;
    const code = i < this.length ? this.source.charCodeAt(i) : END;
    if (code === LOWER_U) {
      for (let digit = i + 1; digit <= i + 4; digit++) {
        if (digit >= this.length || !isHexDigit(this.source.charCodeAt(digit)))
          return this.badEscape(backslash);
      }
      return i + 4;
    }
    switch (code) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f: // slash
      case 0x62: // b
      case 0x66: // f
      case 0x6e: // n
      case 0x72: // r
      case 0x74: // t
        return i;
      default:
        return this.badEscape(backslash);
    }
  }

  private number(): string {
    const source = this.source;
    const start = this.position;
    let i = start;
    if (source.charCodeAt(i) === MINUS) i++;
    const digits = i;
    i = this.digitsEnd(i);
    if (i === digits) return this.expectedAt(i, "a digit");
    if (source.charCodeAt(digits) === ZERO && i > digits + 1) {
      return this.fail(`has a number with a leading zero at offset ${digits}; write it without`);
    }
    let digitCount = i - digits;
    const hasFraction = i < this.length && source.charCodeAt(i) === DOT;
    if (hasFraction) {
      const decimals = i + 1;
      i = this.digitsEnd(decimals);
      if (i === decimals) return this.expectedAt(i, 'a digit after "."');
      digitCount += i - decimals;
    }
    if (digitCount > MAX_DIGITS)
      return this.fail(`has a number of more than ${MAX_DIGITS} digits at offset ${start}`);
    if (i < this.length && (source.charCodeAt(i) | 0x20) === LOWER_E) return this.exponent(start, i + 1);
    this.position = i;
    const raw = source.slice(start, i);
    return isPlainNormal(i - digits, hasFraction, source.charCodeAt(i - 1))
      ? `"\\ud800${raw}"`
      : `"\\ud800${normalDecimal(raw)}"`;
  }

  private exponent(start: number, afterE: number): string {
    const code = afterE < this.length ? this.source.charCodeAt(afterE) : END;
    const digits = code === MINUS || code === 0x2b ? afterE + 1 : afterE;
    const end = this.digitsEnd(digits);
    if (end === digits) return this.expectedAt(end, "a digit of the exponent");
    this.position = end;
    if (Number(this.source.slice(digits, end)) > MAX_EXPONENT) {
      return this.fail(`has an exponent beyond ±${MAX_EXPONENT} at offset ${digits}`);
    }
    return `"\\ud800${normalDecimal(this.source.slice(start, end))}"`;
  }

  private digitsEnd(from: number): number {
    let i = from;
    while (i < this.length && isDigit(this.source.charCodeAt(i))) i++;
    return i;
  }

  private literal(word: string): string {
    if (!this.source.startsWith(word, this.position)) return this.expected("a JSON value");
    this.position += word.length;
    return word;
  }

  // The code of the next character that is not whitespace, END after the last.
  private next(): number {
    if (this.position >= this.length) return END;
    const code = this.source.charCodeAt(this.position);
    return code > 0x20 ? code : this.skipWhitespace();
  }

  private skipWhitespace(): number {
    const start = this.position;
    let i = start;
    let code = END;
    for (; i < this.length; i++) {
      code = this.source.charCodeAt(i);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
    }
    if (i > start) {
      this.copied += this.source.slice(this.copiedTo, start);
      this.copiedTo = i;
      this.position = i;
    }
    return i < this.length ? code : END;
  }

  private fail(message: string, at?: string | number): string {
    this.message = message;
    return at === undefined ? FAILED : this.failedIn(at);
  }

  private failedIn(key: string | number): string {
    this.reversePath.push(pointerStep(key));
    return FAILED;
  }

  private expected(what: string, at?: string | number): string {
    const where = this.position < this.length ? `at offset ${this.position}` : "and the text ends";
    return this.fail(`is not JSON: expected ${what} ${where}`, at);
  }

  private expectedAt(offset: number, what: string): string {
    this.position = offset;
    return this.expected(what);
  }

  private badEscape(offset: number): number {
    this.fail(`has an escape that JSON does not know at offset ${offset}`);
    return END;
  }

  private loneSurrogate(offset: number): string {
    return this.fail(`has half of a surrogate pair in the string at offset ${offset}; send whole characters`);
  }

  private tooDeep(): string {
    return this.fail(`is nested deeper than ${this.maxDepth} levels`);
  }
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

function isHexDigit(code: number): boolean {
  const lower = code | 0x20;
  return isDigit(code) || (lower >= 0x61 && lower <= 0x66);
}

// The string a JSON string stands for; its syntax has been checked.
function decode(quoted: string): string {
  const decoded: unknown = JSON.parse(quoted);
  return typeof decoded === "string" ? decoded : "";
}
