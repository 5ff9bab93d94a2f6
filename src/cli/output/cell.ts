/**
 * What a terminal or a reader of lines would act on instead of showing it: controls, ANSI escapes with
 * them, line ends, and the marks that turn the direction of text around.
 */
const actsOnTerminal = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** A text as it can be shown on one line of a terminal, whatever it contains. */
export function shown(text: string): string {
  return text.toWellFormed().replace(actsOnTerminal, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u${code.padStart(4, "0")}`;
  });
}

const combining = /^(?:\p{Mn}|\p{Me}|[\u200b-\u200d])$/u;
const wide =
  /^[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]$/u;

/** Columns a character takes on a terminal: near enough to keep a table straight. */
function columns(character: string): number {
  if (character < "\u0300") return 1;
  if (combining.test(character)) return 0;
  return wide.test(character) ? 2 : 1;
}

/** Columns a text takes. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += columns(character);
  return width;
}

/** The text cut to `width` columns, with "…" where it was cut. */
export function cut(text: string, width: number): string {
  let used = 0;
  let at = 0;
  let keptTo = 0;
  for (const character of text) {
    used += columns(character);
    if (used > width) return `${text.slice(0, keptTo)}…`;
    at += character.length;
    if (used < width) keptTo = at;
  }
  return text;
}

/** The text and spaces up to `width` columns. */
export function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}
