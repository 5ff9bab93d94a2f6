import type { JsonValue } from "@bufbuild/protobuf";

/**
 * JSON.parse, but for keys that are written with escapes. V8 compares such a key, as it is written, with
 * the keys of objects it has parsed before: once {"a":1,"\\":2} was there, Node 24 reads {"a":1,"\"":2} as
 * having the key \ too. So objects of a text with escapes are put together here. Throws SyntaxError.
 */
export function parseJson(text: string): JsonValue {
  const parsed: JsonValue = JSON.parse(text);
  return text.includes("\\") ? new Parser(text).value() : parsed;
}

const whitespace = /[\t\n\r ]*/y;
const scalar = /"(?:[^"\\]|\\.)*"|[^\t\n\r ,\]}]+/y;

/** Reads a text that is known to be JSON. */
class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): JsonValue {
    switch (this.#next()) {
      case "{":
        return this.#object();
      case "[":
        return this.#array();
      default: {
        // One string or number alone has no keys.
        const value: JsonValue = JSON.parse(this.#take(scalar));
        return value;
      }
    }
  }

  #object(): JsonValue {
    const object: Record<string, JsonValue> = {};
    this.#at++;
    while (this.#next() !== "}") {
      const key: string = JSON.parse(this.#take(scalar));
      this.#next();
      this.#at++; // The colon.
      const value = this.value();
      // As JSON.parse does it: "__proto__" is a key like any other.
      Object.defineProperty(object, key, { value, configurable: true, enumerable: true, writable: true });
      if (this.#next() === ",") this.#at++;
    }
    this.#at++;
    return object;
  }

  #array(): JsonValue {
    const array: JsonValue[] = [];
    this.#at++;
    while (this.#next() !== "]") {
      array.push(this.value());
      if (this.#next() === ",") this.#at++;
    }
    this.#at++;
    return array;
  }

  /** The next character that is not whitespace. */
  #next(): string {
    this.#take(whitespace);
    return this.#text.charAt(this.#at);
  }

  #take(token: RegExp): string {
    token.lastIndex = this.#at;
    const found = token.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }
}
