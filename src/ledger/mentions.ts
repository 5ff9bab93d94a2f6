/**
 * Wallets inside texts (R11). A wallet is 40 hexadecimal digits in any case, with or without 0x, or the
 * same as a 32-byte word: 24 zeros before it, alone or in a row of such words as in call data. Longer
 * rows of digits, like hashes, name none.
 */

/** Which wallets, as 40 lower case hexadecimal digits, and what stands for each. */
export type Replacements = ReadonlyMap<string, string>;

const digits = 40;
const wordDigits = 64;
const selectorDigits = 8;
const padding = "0".repeat(wordDigits - digits);

/** Nobody's: venues write it where there is none. */
const zeroWallet = "0".repeat(digits);

const run = /(?:0x)?([0-9a-f]{40,})/gi;
const runOnce = /[0-9a-f]{40}/i;

/** One test a text: false for nearly all of them, and then they name no wallet. */
export function mayName(text: string): boolean {
  return runOnce.test(text);
}

/** The wallets that a text names, in lower case. */
export function walletsIn(text: string): ReadonlySet<string> {
  const found = new Set<string>();
  if (mayName(text)) collect(text, found);
  return found;
}

/** The wallets that the strings and keys of a JSON text name, however their characters are escaped. */
export function walletsInJson(json: string): ReadonlySet<string> {
  const found = new Set<string>();
  if (!mayName(json) && !json.includes("\\u")) return found;
  for (const [token] of json.matchAll(jsonString)) collect(decoded(token), found);
  return found;
}

function collect(text: string, into: Set<string>): void {
  for (const [, matched = ""] of text.matchAll(run)) {
    const lower = matched.toLowerCase();
    if (lower.length === digits) into.add(lower);
    else
      for (const word of wordsOf(lower)) if (word.startsWith(padding)) into.add(word.slice(padding.length));
  }
  into.delete(zeroWallet);
}

/** The 32-byte words of a row of digits: one, several, or several behind a function's selector. */
function wordsOf(row: string): string[] {
  const selector = row.length % wordDigits;
  if (selector !== 0 && selector !== selectorDigits) return [];
  const words: string[] = [];
  for (let at = selector; at < row.length; at += wordDigits) words.push(row.slice(at, at + wordDigits));
  return words;
}

/** The text with each of the wallets replaced, its 0x and its padding with it. */
export function replaceWallets(text: string, replacements: Replacements): string {
  if (!mayName(text)) return text;
  return text.replace(run, (all: string, matched: string) => {
    const replaced = replaceInRun(matched, replacements);
    if (replaced === matched) return all;
    // 0x belongs to the row of digits; where something else stands before the wallet it stays.
    const prefix = all.slice(0, all.length - matched.length);
    return startsWithAny(replaced, replacements) ? replaced : prefix + replaced;
  });
}

function startsWithAny(text: string, replacements: Replacements): boolean {
  for (const replacement of replacements.values()) if (text.startsWith(replacement)) return true;
  return false;
}

function replaceInRun(row: string, replacements: Replacements): string {
  const whole = replacements.get(row.toLowerCase());
  if (whole !== undefined) return whole;
  if (row.length === digits) return row;
  let result = row;
  for (const [wallet, replacement] of replacements) result = replaceInside(result, wallet, replacement);
  return result;
}

/** Wallets of small numbers stand in every row of zeros, so those are replaced only as words of their own. */
const smallNumber = /^0{8}/;

function replaceInside(row: string, wallet: string, replacement: string): string {
  if (smallNumber.test(wallet)) {
    const words = wordsOf(row);
    const isIt = (word: string) => word.toLowerCase() === padding + wallet;
    if (!words.some(isIt)) return row;
    const selector = row.slice(0, row.length % wordDigits);
    return selector + words.map((word) => (isIt(word) ? replacement : word)).join("");
  }
  // Packed encodings put it anywhere in the row; 160 bits are not there by chance.
  return row.replace(new RegExp(`(?:${padding})?${wallet}`, "gi"), replacement);
}

const jsonString = /"[^"\\]*(?:\\.[^"\\]*)*"/g;

/**
 * A JSON text with the wallets replaced in its strings and keys; numbers stay, whatever their digits.
 * Two keys that named one wallet in two spellings stay two keys: the later gets a number.
 */
export function replaceWalletsInJson(json: string, replacements: Replacements): string {
  if (!mayName(json) && !json.includes("\\u")) return json;
  const keys = new Map<string, string>();
  return json.replace(jsonString, (token: string, at: number) => {
    const text = decoded(token);
    const replaced = replaceWallets(text, replacements);
    if (replaced === text) return token;
    return JSON.stringify(json[at + token.length] === ":" ? ownKey(text, replaced, keys) : replaced);
  });
}

/** keys: by the replaced key the one it stands for, so that another one gets a name of its own. */
function ownKey(key: string, replaced: string, keys: Map<string, string>): string {
  for (let nth = 1; ; nth++) {
    const candidate = nth === 1 ? replaced : `${replaced}#${nth}`;
    const taken = keys.get(candidate);
    if (taken === undefined) keys.set(candidate, key);
    if (taken === undefined || taken === key) return candidate;
  }
}

/** What a JSON string says. Canonical JSON has numbers as strings too: their tag is no digit. */
function decoded(token: string): string {
  if (!token.includes("\\")) return token.slice(1, -1);
  const value: unknown = JSON.parse(token);
  return typeof value === "string" ? value : "";
}
