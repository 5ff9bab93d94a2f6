import { normalDecimal } from "./decimal.ts";

/**
 * A value in a shape that Object.is compares: "#" and a number's normal form, '"' and a string's characters. Of
 * an object or array it says no more than which of the two it is; what is in it has an outline of its own.
 */
export type Token = string | boolean | null;

/** An object or array: its values, where they stand in the text, and the objects and arrays among them. */
export class Outline {
  readonly tokens: Token[] | Record<string, Token>;
  readonly nested = new Map<string | number, Outline>();
  // The start and end of each value, in the order of the text.
  private readonly edges: number[] = [];
  private readonly order = new Map<string | number, number>();

  constructor(kind: "array" | "object") {
    // Without a prototype, so that __proto__ and constructor are keys like any other.
    this.tokens = kind === "array" ? [] : Object.create(null);
  }

  get isArray(): boolean {
    return Array.isArray(this.tokens);
  }

  add(step: string | number, token: Token, start: number, end: number): void {
    if (Array.isArray(this.tokens)) {
      this.tokens.push(token);
    } else {
      this.tokens[step] = token;
      this.order.set(step, this.edges.length);
    }
    this.edges.push(start, end);
  }

  /** The offset at which the value at this key or index starts in the text. */
  start(step: string | number): number {
    return this.edges[this.edge(step)] ?? 0;
  }

  /** The offset behind it. */
  end(step: string | number): number {
    return this.edges[this.edge(step) + 1] ?? 0;
  }

  private edge(step: string | number): number {
    return (typeof step === "number" ? step * 2 : this.order.get(step)) ?? 0;
  }
}

/**
 * Reads a text that scanJson has accepted, as the only item of an array, so that the root is a value with a
 * step like every other; undefined gives an empty array. What it does with any other text is not defined.
 */
export function outline(text: string | undefined): Outline {
  const root = new Outline("array");
  if (text !== undefined) new OutlineReader(text).value(root, 0);
  return root;
}

class OutlineReader {
  private readonly text: string;
  private position = 0;

  constructor(text: string) {
    this.text = text;
  }

  value(parent: Outline, step: string | number): void {
    const start = this.skipTo();
    const token = this.token(parent, step);
    parent.add(step, token, start, this.position);
  }

  private token(parent: Outline, step: string | number): Token {
    switch (this.text.charCodeAt(this.position)) {
      case 0x7b:
        parent.nested.set(step, this.members());
        return "{";
      case 0x5b:
        parent.nested.set(step, this.items());
        return "[";
      case 0x22:
        return `"${this.string()}`;
      case 0x74:
        this.position += 4;
        return true;
      case 0x66:
        this.position += 5;
        return false;
      case 0x6e:
        this.position += 4;
        return null;
      default:
        return `#${normalDecimal(this.number())}`;
    }
  }

  private members(): Outline {
    const members = new Outline("object");
    this.position++;
    while (this.text.charCodeAt(this.skipTo()) === 0x22) this.value(members, this.string());
    this.position++;
    return members;
  }

  private items(): Outline {
    const items = new Outline("array");
    this.position++;
    for (let i = 0; this.skipTo() < this.text.length && this.text.charCodeAt(this.position) !== 0x5d; i++) {
      this.value(items, i);
    }
    this.position++;
    return items;
  }

  private string(): string {
    const start = this.position;
    let end = start + 1;
    let escapes = false;
    for (; end < this.text.length; end++) {
      const code = this.text.charCodeAt(end);
      if (code === 0x22) break;
      if (code === 0x5c) {
        escapes = true;
        end++;
      }
    }
    this.position = end + 1;
    if (!escapes) return this.text.slice(start + 1, end);
    const decoded: unknown = JSON.parse(this.text.slice(start, end + 1));
    return String(decoded);
  }

  private number(): string {
    const start = this.position;
    let end = start + 1;
    while (end < this.text.length && isNumberPart(this.text.charCodeAt(end))) end++;
    this.position = end;
    return this.text.slice(start, end);
  }

  // The offset of the next character that is neither whitespace nor "," nor ":".
  private skipTo(): number {
    let i = this.position;
    for (; i < this.text.length; i++) {
      const code = this.text.charCodeAt(i);
      if (code > 0x20 && code !== 0x2c && code !== 0x3a) break;
    }
    this.position = i;
    return i;
  }
}

// Digits, sign, point and e: scanJson has checked how they stand together.
function isNumberPart(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) ||
    code === 0x2e ||
    code === 0x2b ||
    code === 0x2d ||
    (code | 0x20) === 0x65
  );
}
