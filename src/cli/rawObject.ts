/**
 * The members of a JSON object as they stand in its text: a value that goes on as its own text keeps every
 * digit, which JSON.parse would round.
 */
export type RawObject = {
  readonly keys: readonly string[];
  /** The text of a member's value; undefined when there is no such member. */
  raw(key: string): string | undefined;
};

/** Reads an object's text. Throws a SyntaxError when it is not JSON, not an object, or has a key twice. */
export function readRawObject(text: string): RawObject {
  const parsed: unknown = JSON.parse(text); // From here on the syntax is known to be right.
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new SyntaxError("it is JSON, but not an object");
  }
  const members = new Map<string, string>();
  let at = skip(text, text.indexOf("{") + 1);
  while (text[at] !== "}") {
    const keyEnd = stringEnd(text, at);
    const key = String(JSON.parse(text.slice(at, keyEnd)));
    if (members.has(key)) throw new SyntaxError(`the key ${JSON.stringify(key)} stands there twice`);
    const start = skip(text, keyEnd);
    const end = valueEnd(text, start);
    members.set(key, text.slice(start, end));
    at = skip(text, end);
  }
  return { keys: [...members.keys()], raw: (key) => members.get(key) };
}

/** Behind whitespace, commas and colons. */
function skip(text: string, from: number): number {
  let at = from;
  while (" \t\r\n,:".includes(text.charAt(at))) at++;
  return at;
}

/** Behind the string that starts here. */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

function valueEnd(text: string, start: number): number {
  let at = start;
  let depth = 0;
  do {
    const character = text.charAt(at);
    if (character === '"') {
      at = stringEnd(text, at);
      continue;
    }
    if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") depth--;
    else if (depth === 0) return scalarEnd(text, at);
    at++;
  } while (depth > 0);
  return at;
}

/** Behind the number, true, false or null that starts here. */
function scalarEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length && !" \t\r\n,}".includes(text.charAt(at))) at++;
  return at;
}
